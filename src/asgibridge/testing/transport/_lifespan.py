"""The lifespan of an application that serves one client."""

from collections.abc import Callable
from typing import Any, Literal, final

import attrs

from ...errors import ApplicationEndedError, LifespanFailedError
from ...types import ASGIApp, LifespanReceiveEvent, LifespanSendEvent
from .. import ApplicationCommunicator, lifespan_scope

__all__ = ("Lifespan", "LifespanDriver")

Lifespan = Literal["auto", "on", "off"]
"""``on``: the application must handle it.  ``auto``: it may refuse the scope."""

Communicator = ApplicationCommunicator[LifespanReceiveEvent, LifespanSendEvent]


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
        except Exception:
            # Specified: an application that raises for the scope, or returns,
            # has no lifespan, and is served all the same.
            if self._mode == "on":
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
