"""The lifespan of an application that serves one client."""

from collections.abc import Callable
from typing import Any, Final, Literal, final

import attrs

from ...errors import ApplicationEndedError, ASGIViolationError, LifespanFailedError
from ...types import ASGIApp, LifespanReceiveEvent, LifespanSendEvent
from .. import ApplicationCommunicator, lifespan_scope

__all__ = ("Lifespan", "LifespanDriver")

Lifespan = Literal["auto", "on", "off"]
"""``on``: the application must handle it.  ``auto``: it may refuse the scope."""

Communicator = ApplicationCommunicator[LifespanReceiveEvent, LifespanSendEvent]


# What those break that do not look at the type of the scope.
_REFUSALS: Final = frozenset({"lifespan.unanswered", "event.foreign"})


def _is_refusal(exc: Exception) -> bool:
    """Whether an application that ended with *exc* has no lifespan.

    Specified: one that raises for the scope has none, and is served all the same.
    So is one that returns at once, or answers as if it were a request.  One that
    answers the startup in a wrong way meant to take part.
    """
    return not isinstance(exc, ASGIViolationError) or _REFUSALS.issuperset(exc.rules)


@final
@attrs.define(eq=False)
class LifespanDriver:
    """Starts an application up and shuts it down.

    Args:
        application: The application.
        mode: Whether it has to take part.
        timeout: How long each of the two may take, in seconds.
        validator: Wraps the application to check both sides, or None.
    """

    _application: ASGIApp = attrs.field(alias="application")
    _mode: Lifespan = attrs.field(alias="mode")
    _timeout: float = attrs.field(alias="timeout")
    _validator: Callable[[ASGIApp], ASGIApp] | None = attrs.field(alias="validator")
    # What startup left for the requests; None if there is no lifespan.
    state: dict[str, Any] | None = attrs.field(default=None, init=False)
    _client: Communicator | None = attrs.field(default=None, init=False)

    async def startup(self) -> None:
        """Start the application up.

        Raises:
            LifespanFailedError: If it says that it failed.
            ASGIViolationError: If it takes part in the lifespan, and wrongly.
        """
        if self._mode == "off":
            return
        state: dict[str, Any] = {}
        client = ApplicationCommunicator(
            self._application,
            lifespan_scope(state=state),
            timeout=self._timeout,
            validator=self._validator,
        )
        await client.send_input({"type": "lifespan.startup"})
        try:
            event = await client.receive_output()
        except TimeoutError:
            await client.aclose(exceptions=False)
            raise
        except Exception as exc:
            if self._mode == "on" or not _is_refusal(exc):
                raise
            return
        await self._check(client, event)
        self.state, self._client = state, client

    async def shutdown(self) -> None:
        """Shut the application down, if it was started up.

        Raises:
            LifespanFailedError: If it says that it failed.
        """
        client, self._client, self.state = self._client, None, None
        if client is None:
            return
        await client.send_input({"type": "lifespan.shutdown"})
        try:
            await self._check(client, await client.receive_output())
            await client.wait()
        except ApplicationEndedError:
            return  # it returned before: nothing to shut down
        finally:
            await client.aclose(exceptions=False)

    async def _check(self, client: Communicator, event: LifespanSendEvent) -> None:
        if event["type"].endswith(".complete"):
            return
        await client.aclose(exceptions=False)
        msg = f"{event['type']}: {event.get('message', '')}"
        raise LifespanFailedError(msg)
