"""A server without client sockets, to be subclassed: ``asgiref.server``."""

import asyncio
import logging
import time
import traceback
from contextlib import suppress
from typing import Any, Final, TypedDict

from .compatibility import guarantee_single_callable

__all__ = ("StatelessServer",)

logger: Final = logging.getLogger(__name__)


class _Details(TypedDict):
    input_queue: "asyncio.Queue[Any]"
    future: "asyncio.Task[Any]"
    scope: Any
    last_used: float


class StatelessServer:
    """Hands events to one application instance per scope id.

    Override `handle`, which brings events, and `application_send`, which takes
    those of the application.  The instance that was used least recently is
    cancelled when there are too many.  `asgibridge.servers` has servers that
    tell their instances before they end, lose no event and have bounds.

    Args:
        application: Of ASGI 3 or 2.
        max_applications: How many instances there are at most.
    """

    application_checker_interval: float = 0.1
    """How often instances that have ended are looked for, in seconds."""

    def __init__(self, application: Any, max_applications: int = 1000) -> None:  # noqa: ANN401  # of either kind
        self.application = application
        self.max_applications = max_applications
        # The least recently used one first.
        self.application_instances: dict[Any, _Details] = {}

    def run(self) -> None:
        """Run `arun` on a loop of its own, until it ends or Ctrl-C."""
        try:
            asyncio.run(self.arun())
        except KeyboardInterrupt:
            logger.info("Exiting due to Ctrl-C/interrupt")

    async def arun(self) -> None:
        """Run `handle`, and `application_checker` beside it."""
        checker = asyncio.ensure_future(self.application_checker())
        handler = asyncio.ensure_future(self.handle())
        try:
            done, _ = await asyncio.wait(
                [checker, handler], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                await task
        finally:
            for task in (checker, handler):
                task.cancel()
            await asyncio.wait([checker, handler])

    async def handle(self) -> None:
        """Bring events, until there are no more.  To be overridden."""
        msg = "You must implement handle()"
        raise NotImplementedError(msg)

    async def application_send(self, scope: Any, message: Any) -> None:  # noqa: ANN401  # the subclass says
        """Take an event that an instance sent.  To be overridden."""
        msg = "You must implement application_send()"
        raise NotImplementedError(msg)

    def get_or_create_application_instance(
        self,
        scope_id: Any,  # noqa: ANN401  # anything that can be a key
        scope: Any,  # noqa: ANN401  # the subclass says
    ) -> "asyncio.Queue[Any]":
        """Return the queue of an instance, which is started if there is none."""
        instances = self.application_instances
        details = instances.pop(scope_id, None)
        if details is not None:
            details["last_used"] = time.time()
            instances[scope_id] = details  # the last one now
            return details["input_queue"]
        while instances and len(instances) >= self.max_applications:
            self.delete_oldest_application_instance()
        queue: asyncio.Queue[Any] = asyncio.Queue()

        async def send(message: Any) -> None:  # noqa: ANN401  # any event
            await self.application_send(scope, message)

        call = guarantee_single_callable(self.application)
        instances[scope_id] = {
            "input_queue": queue,
            "future": asyncio.ensure_future(
                call(scope=scope, receive=queue.get, send=send)
            ),
            "scope": scope,
            "last_used": time.time(),
        }
        return queue

    def delete_oldest_application_instance(self) -> None:
        """Cancel the instance that was used least recently."""
        self.delete_application_instance(next(iter(self.application_instances)))

    def delete_application_instance(self, scope_id: Any) -> None:  # noqa: ANN401  # as above
        """Cancel an instance and forget it."""
        self.application_instances.pop(scope_id)["future"].cancel()

    async def application_checker(self) -> None:
        """Forget the instances that have ended, for ever; report exceptions."""
        while True:
            await asyncio.sleep(self.application_checker_interval)
            for scope_id, details in list(self.application_instances.items()):
                future = details["future"]
                if not future.done():
                    continue
                exception = None if future.cancelled() else future.exception()
                if exception is not None:
                    await self.application_exception(exception, details)
                # Unless the report has started a new one, or removed this.
                with suppress(KeyError):
                    if self.application_instances[scope_id] is details:
                        del self.application_instances[scope_id]

    async def application_exception(
        self, exception: BaseException, application_details: _Details
    ) -> None:
        """Learn that an instance raised; log it.  May be overridden."""
        del application_details
        logger.error(
            "Exception inside application: %s\n%s%s",
            exception,
            "".join(traceback.format_tb(exception.__traceback__)),
            f"  {exception}",
        )
