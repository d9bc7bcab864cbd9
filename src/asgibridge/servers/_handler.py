"""The server base class in the style of asgiref, on the same core."""

import asyncio
from collections.abc import Awaitable
from typing import TypedDict, cast, final

import attrs

from ..adapters import ASGI2App, Asgi2ToAsgi3, is_asgi2
from ..types import (
    ASGIApp,
    Envelope,
    MessageEvent,
    MessageScope,
    Settlement,
)
from ._engine import Engine
from ._envelope import Message
from ._input_queue import InputQueue
from ._limits import Limits
from ._records import Instance
from ._reporter import logger
from ._runner import disconnect_event

__all__ = ("ApplicationDetails", "HandlerServer")


class ApplicationDetails(TypedDict):
    """What `HandlerServer.application_exception` is told about an instance."""

    input_queue: InputQueue
    future: "asyncio.Task[None]"
    scope: MessageScope
    last_used: float


class HandlerServer:
    """A stateless server to subclass, in the style of asgiref's.

    Override `handle` to bring events, and `application_send` to take those of
    the application::

        class BotServer(HandlerServer):
            async def handle(self):
                async for update in self.bot.updates():
                    scope = {"type": "chat", "user": update.user}
                    queue = self.get_or_create_application_instance(
                        update.user, scope
                    )
                    await queue.put({"type": "chat.message", "text": update.text})

            async def application_send(self, scope, message):
                await self.bot.send(scope["user"], message["text"])

    For new code, `StatelessServer` with a source and a sink does the same
    without a subclass, and can give back what it cannot finish; here such
    events are lost, and the log says so.

    Args:
        application: An ASGI application, of version 3 or 2.
        max_applications: How many application instances may live at once.
        limits: More limits; *max_applications* replaces theirs.
    """

    def __init__(
        self,
        application: ASGIApp | ASGI2App,
        max_applications: int = 1000,
        *,
        limits: Limits | None = None,
    ) -> None:
        """Make a server; nothing is started."""
        self.application: ASGIApp = (
            Asgi2ToAsgi3(cast("ASGI2App", application))
            if is_asgi2(application)
            else cast("ASGIApp", application)
        )
        self.max_applications = max_applications
        self._limits = limits or Limits()
        self._engine: Engine | None = None

    def run(self) -> None:
        """Run `arun` on an event loop of its own, until it ends or Ctrl-C."""
        try:
            asyncio.run(self.arun())
        except KeyboardInterrupt:
            logger.info("Exiting due to Ctrl-C/interrupt")

    async def arun(self) -> None:
        """Run `handle`, then finish what it brought in."""
        engine = self._get_engine()
        hurry = asyncio.Event()
        try:
            await self.handle()
            await engine.finish()
        except BaseException:  # re-raised: an error of handle(), or a cancellation
            hurry.set()
            raise
        finally:
            self._engine = None
            await engine.shut_down(hurry=hurry)

    async def handle(self) -> None:
        """Bring events, until there are no more.  To be overridden."""
        msg = f"{type(self).__name__} must implement handle()"
        raise NotImplementedError(msg)

    async def application_send(
        self, scope: MessageScope, message: MessageEvent
    ) -> None:
        """Take an event that an application sent.  To be overridden."""
        msg = f"{type(self).__name__} must implement application_send()"
        raise NotImplementedError(msg)

    async def application_exception(
        self, exception: BaseException, application_details: ApplicationDetails
    ) -> None:
        """Learn that an application instance raised.  May be overridden.

        It is in the log by then.
        """

    def get_or_create_application_instance(
        self, scope_id: str, scope: MessageScope
    ) -> InputQueue:
        """Return the queue of a conversation, and start an instance if it has none.

        If all places are taken, the instance starts when one is free; the one
        that has been idle longest is ended for it.  Events can be put into the
        queue at once.
        """
        engine = self._get_engine()
        conversation = engine.dispatcher.find(scope_id)
        if conversation is None or conversation.instance is None:
            engine.dispatcher.want(Message(scope_id, {}, scope))
        return InputQueue(engine, scope_id, scope)

    def delete_application_instance(self, scope_id: str) -> None:
        """End a conversation's instance now; events not yet taken get a fresh one."""
        conversation = self._get_engine().dispatcher.find(scope_id)
        if conversation is not None and conversation.instance is not None:
            self._get_engine().dispatcher.endings.cancel(
                conversation.instance, "evicted"
            )

    async def application_checker(self) -> None:
        """Wait for ever: there is nothing to look for periodically.

        For subclasses that override `arun` and run it beside `handle`.
        """
        await asyncio.get_running_loop().create_future()

    def _get_engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine.create(
                self.application,
                _NoSource(),
                self._send,
                limits=attrs.evolve(
                    self._limits, max_applications=self.max_applications
                ),
                observers=(),
                clock=None,
                make_scope=_same_scope,
                disconnect=disconnect_event,
                failed=self._failed,
            )
        return self._engine

    def _send(self, envelope: Envelope, event: MessageEvent) -> Awaitable[None]:
        return self.application_send(_same_scope(envelope), event)

    async def _failed(self, instance: Instance, error: BaseException) -> None:
        scope = _same_scope(instance.envelope)
        scope_id = instance.conversation.scope_id
        await self.application_exception(
            error,
            {
                "input_queue": InputQueue(self._get_engine(), scope_id, scope),
                "future": instance.task,
                "scope": scope,
                "last_used": instance.opened_at,
            },
        )


def _same_scope(envelope: Envelope) -> MessageScope:
    """Return the very scope that the handler gave: it may look for it later."""
    return cast("MessageScope", envelope.scope)  # as made in this module


@final
@attrs.frozen(eq=False)
class _NoSource:
    """Where events are from that only a handler knew about."""

    async def open(self) -> None:
        """Do nothing."""

    async def pull(self, _max_messages: int, /) -> list[Message]:
        """Return no messages: a handler brings them."""
        return []

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Tell the log what is lost: there is nobody to give it back to."""
        if settlement is not Settlement.DONE:
            logger.warning(
                "An event of %r is lost: %s",
                envelope.scope_id,
                reason or "not handled in time",
            )

    async def close(self) -> None:
        """Do nothing."""
