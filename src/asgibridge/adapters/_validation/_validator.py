"""The validator: an ASGI application around an ASGI application."""

import inspect
from collections.abc import Awaitable, Callable
from types import GeneratorType
from typing import Any, final

import attrs

from ..._options import a_callable
from ...errors import ASGIViolationError
from ...types import ASGIApp
from ._conversation import Conversation, Violations
from ._opening import open_conversation
from ._profiles import Profile
from ._rules import RULES
from ._show import class_name
from ._violations import Side, Violation

__all__ = ("ASGIValidator",)

Report = Callable[[Violation], object]


def _can_be_awaited(value: object) -> bool:
    # await looks at the class; to ask the object would run code of its own.
    kind = type(value)
    if kind is GeneratorType:
        return inspect.isawaitable(value)  # it is, if made by types.coroutine
    try:
        return hasattr(kind, "__await__")
    except Exception:  # noqa: BLE001 - a metaclass may raise anything
        return True  # await will tell


@final
@attrs.define(eq=False)
class _Checked:
    """One checked conversation: the `receive` and `send` the application gets."""

    _receive: Callable[[], Awaitable[Any]]
    _send: Callable[[Any], Awaitable[None]]
    _conversation: Conversation
    _report: Report | None
    # Guarded by nothing: an application that calls send() from several threads
    # breaks more than this.
    raised: ASGIViolationError | None = attrs.field(default=None, init=False)

    async def receive(self) -> object:
        """Receive an event, and check it."""
        pending = self._receive()
        self.expect_awaitable(pending, "server", "callable.awaitable")
        event = await pending
        if wrong := self._conversation.received(event):
            self.tell(wrong)
        return event

    async def send(self, event: object, /) -> None:
        """Check an event, and send it."""
        conversation = self._conversation
        if wrong := conversation.sent(event):
            self.tell(wrong)
        was_closed = conversation.is_closed
        pending = self._send(event)
        self.expect_awaitable(pending, "server", "callable.awaitable")
        try:
            await pending
        except OSError as exc:
            conversation.send_failed(exc)
            raise
        if was_closed and (wrong := conversation.send_returned()):
            self.tell(wrong)

    async def follow(self, pending: Awaitable[None]) -> None:
        """Wait for the application, and check that it leaves nothing undone."""
        self.expect_awaitable(pending, "application", "application.awaitable")
        try:
            await pending
        except BaseException:
            self._conversation.raised()
            raise
        if self.raised is not None:
            raise self.raised
        if wrong := self._conversation.returned():
            self.tell(wrong)

    def expect_awaitable(self, pending: object, side: Side, rule: str) -> None:
        """Tell if *pending* cannot be awaited; the caller awaits it all the same.

        That raises TypeError, as it would without the validator.
        """
        if _can_be_awaited(pending):
            return
        found = f"the call returned an object of class {class_name(pending)}"
        broken = RULES[rule]
        protocol = self._conversation.protocol
        self.tell((Violation(broken, side, protocol, found, broken.text),))

    def tell(self, wrong: Violations) -> None:
        """Report violations, or raise them and remember that they were raised."""
        if self._report is not None:
            for violation in wrong:
                self._report(violation)
            return
        message = "\n".join(str(violation) for violation in wrong)
        rules = tuple(violation.rule.name for violation in wrong)
        error = ASGIViolationError(message, wrong[0].side, rules)
        self.raised = self.raised or error
        raise error


@final
@attrs.frozen(eq=False)
class ASGIValidator:
    """Checks both sides of every conversation with an ASGI application.

    It is put between a server and an application, or between a middleware and
    what it wraps::

        app = ASGIValidator(app)

    A breach of ASGI is raised where it happens: out of ``send()`` if the
    application sends something wrong, out of ``receive()`` or the call itself
    if the server does, at the end if the application leaves something undone.
    What the application swallows is raised again when it returns.

    Scopes and events are handed on as they are: the same objects, unchanged;
    iterables that can be read only once are not looked into.  Cancellation
    passes through.  Nothing is shared between conversations, so any number may
    run at once, in any threads and loops; the application is not owned.

    Args:
        app: The application to check.
        profile: How strictly ASGI is taken.
        report: Called with every violation instead of raising it, for a list
            of all: ``report=violations.append``.  It must not raise.
    """

    _app: ASGIApp = attrs.field(alias="app", validator=a_callable)
    profile: Profile = attrs.field(
        default=Profile.SPEC, kw_only=True, converter=Profile
    )
    _report: Report | None = attrs.field(default=None, alias="report", kw_only=True)

    async def __call__(
        self,
        scope: object,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        /,
    ) -> None:
        """Run the application for one connection.

        Raises:
            ASGIViolationError: At a violation, unless they are reported.
        """
        conversation, wrong = open_conversation(scope, self.profile)
        checked = _Checked(receive, send, conversation, self._report)
        if wrong:
            checked.tell(wrong)
        await checked.follow(self._app(scope, checked.receive, checked.send))
