"""The lifespan of an ASGI application, from the server's side."""

import asyncio
import logging
from typing import Any, Final, Literal, final

import attrs

from ..errors import LifespanFailedError
from ._asgi import ASGIApp, Event, Scope

__all__ = ("Lifespan",)

_logger: Final = logging.getLogger("asgibridge.adapters")

_Phase = Literal["startup", "shutdown"]


@final
@attrs.define(eq=False)
class Lifespan:
    """Starts an application and shuts it down, on the running loop.

    Args:
        app: The application.
    """

    _app: ASGIApp
    _state: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)
    _events: asyncio.Queue[Event] = attrs.field(
        factory=asyncio.Queue[Event], init=False
    )
    _answers: asyncio.Queue[Event] = attrs.field(
        factory=asyncio.Queue[Event], init=False
    )
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    # Whether the application answers: those without a lifespan raise.
    _supported: bool = attrs.field(default=False, init=False)

    @property
    def state(self) -> dict[str, Any] | None:
        """What the application keeps for its requests; None without lifespan."""
        return self._state if self._supported else None

    async def start(self) -> None:
        """Start the application, if it wants to know of it.

        Raises:
            LifespanFailedError: If it says that its startup failed, or exits.
        """
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        self._task = asyncio.create_task(self._run(scope))
        answer = await self._ask("startup")
        self._supported = answer is not None
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            msg = (
                f"ASGI application {self._app!r} failed to start:"
                f" {answer.get('message') or 'it gave no reason'}"
            )
            raise LifespanFailedError(msg)

    async def stop(self) -> None:
        """Shut the application down; a failure of that is logged."""
        if not self._supported:
            return
        answer = await self._ask("shutdown")
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            _logger.error(
                "ASGI application %r failed to shut down: %s",
                self._app,
                answer.get("message") or "it gave no reason",
            )

    async def _ask(self, phase: _Phase) -> Event | None:
        """Return the answer to *phase*; None if the application has ended."""
        assert self._task is not None  # noqa: S101 # started first
        await self._events.put({"type": f"lifespan.{phase}"})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait([self._task, answer], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def _run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._events.get, self._answers.put)
        except Exception:
            if self._supported:
                _logger.exception("the lifespan of %r ended", self._app)
            else:  # as the specification has it: go on without
                _logger.debug("%r has no lifespan", self._app, exc_info=True)
        except (SystemExit, KeyboardInterrupt) as exc:
            # The loop would take these for its own, and stop.
            kind = "shutdown" if self._supported else "startup"
            answer = {
                "type": f"lifespan.{kind}.failed",
                "message": f"it raised {exc!r}",
            }
            self._answers.put_nowait(answer)
