"""The validator around an application: raising, reporting, getting out of the way."""

import asyncio
import pickle
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NoReturn, cast

import pytest

from asgibridge.adapters import ASGIValidator, Profile, Violation
from asgibridge.errors import ASGIViolationError
from asgibridge.types import ASGIApp

from .test_conversation import http, lifespan, websocket

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Server:
    """Gives out events and keeps what is sent."""

    def __init__(self, *events: object, closes: bool = False) -> None:
        """Prepare *events*; *closes* makes send() raise OSError."""
        self.events = list(events)
        self.sent: list[object] = []
        self.closes = closes

    async def receive(self) -> object:
        """Return the next event."""
        return self.events.pop(0)

    async def send(self, event: object) -> None:
        """Keep an event, or refuse it."""
        if self.closes:
            raise BrokenPipeError
        self.sent.append(event)

    def run(self, app: ASGIApp, scope: object) -> None:
        """Call *app* for one connection."""
        asyncio.run(cast("Any", app(scope, self.receive, self.send)))


async def hello(_scope: object, receive: Receive, send: Send) -> None:
    """Answer a request."""
    await receive()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def sender(*events: object, swallow: bool = False) -> ASGIApp:
    """Return an application that sends *events*."""

    async def app(_scope: object, _receive: Receive, send: Send) -> None:
        for event in events:
            try:
                await send(event)
            except ASGIViolationError:
                if not swallow:
                    raise

    return app


START: Event = {"type": "http.response.start", "status": 200}
END: Event = {"type": "http.response.body"}


def test_scopes_and_events_pass_through_as_they_are() -> None:
    """Application and server get the same objects, unchanged."""
    scope, request = http(), {"type": "http.request"}
    before, seen = dict(scope), list[object]()

    async def app(scope: object, receive: Receive, send: Send) -> None:
        seen.extend([scope, await receive()])
        await send(START)
        await send(END)

    server = Server(request)
    server.run(ASGIValidator(app), scope)
    assert seen[0] is scope
    assert seen[1] is request
    assert server.sent[0] is START
    assert server.sent[1] is END
    assert (scope, request, START["status"]) == (before, {"type": "http.request"}, 200)


def test_application_fault_is_raised_by_send() -> None:
    """The faulty event does not reach the server."""
    server = Server()
    with pytest.raises(ASGIViolationError, match=r"http\.response\.start comes first"):
        server.run(ASGIValidator(sender(END)), http())
    assert server.sent == []


def test_server_fault_is_raised_by_receive() -> None:
    """A wrong event from the server is the server's fault."""
    server = Server({"type": "http.request", "body": "text"})
    with pytest.raises(ASGIViolationError, match="server fault in http") as caught:
        server.run(ASGIValidator(hello), http())
    assert caught.value.side == "server"
    assert caught.value.rules == ("value.type",)


def test_wrong_scope_is_raised_before_the_application_is_called() -> None:
    """The application never sees it; all that is wrong is in the message."""
    called = list[object]()
    app = ASGIValidator(cast("ASGIApp", called.append))
    with pytest.raises(ASGIViolationError) as caught:
        Server().run(app, http(method="get", scheme=""))
    assert caught.value.rules == ("method.upper", "scheme.nonempty")
    assert str(caught.value).count("\n") == 1
    assert called == []


def test_what_is_left_undone_is_raised_at_the_end() -> None:
    """Returning too early is a fault, too."""
    with pytest.raises(ASGIViolationError, match="sends a response or raises"):
        Server().run(ASGIValidator(sender()), http())
    with pytest.raises(ASGIViolationError, match="answers lifespan"):
        Server().run(ASGIValidator(sender()), lifespan())


def test_swallowed_violation_is_raised_again() -> None:
    """An application cannot hide what it did, whatever it does afterwards."""
    app = ASGIValidator(sender(END, START, END, swallow=True))
    with pytest.raises(ASGIViolationError, match=r"http\.body_before_start"):
        Server().run(app, http())


def test_exceptions_of_the_application_pass_through() -> None:
    """They are its right, also in a lifespan."""

    async def app(_scope: object, _receive: Receive, _send: Send) -> None:
        msg = "not mine"
        raise LookupError(msg)

    for scope in (http(), websocket(), lifespan(), {"type": "x", "asgi": {}}):
        with pytest.raises(LookupError, match="not mine"):
            Server().run(ASGIValidator(app), scope)


def test_oserror_of_the_server_passes_through_and_ends_all() -> None:
    """After it the application may return without having finished."""

    async def app(_scope: object, _receive: Receive, send: Send) -> None:
        with pytest.raises(BrokenPipeError):
            await send(START)

    Server(closes=True).run(ASGIValidator(app), http())


def test_server_that_goes_on_after_the_end_is_found_when_strict() -> None:
    """send() has to raise once the application was told of the end."""

    async def app(_scope: object, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)

    gone = {"type": "http.disconnect"}
    Server(gone).run(ASGIValidator(app), http())
    with pytest.raises(ASGIViolationError, match="server fault") as caught:
        Server(gone).run(ASGIValidator(app, profile=Profile.STRICT), http())
    assert caught.value.rules == ("send.after_close.www",)


def test_report_collects_everything() -> None:
    """Nothing is raised, everything reaches the server, all is in the list."""
    found: list[Violation] = []
    server = Server()
    app = ASGIValidator(sender(END, START, START), report=found.append)
    server.run(app, http(method="get"))
    assert [x.rule.name for x in found] == [
        "method.upper",
        "http.body_before_start",
        "http.start_twice",
    ]
    assert [x.side for x in found] == ["server", "application", "application"]
    assert len(server.sent) == 3


def test_cancellation_passes_through() -> None:
    """A cancelled application breaks no rule."""

    async def app(_scope: object, receive: Receive, _send: Send) -> None:
        await receive()

    async def main() -> None:
        entered = asyncio.Event()

        async def receive() -> object:
            entered.set()
            return await asyncio.get_running_loop().create_future()

        validated = ASGIValidator(app)
        task = asyncio.create_task(validated(http(), receive, Server().send))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("raising", [True, False])
def test_calls_that_cannot_be_awaited_are_found(raising: bool) -> None:  # noqa: FBT001
    """Sync applications, receive() and send() are told, then fail as ever."""
    found: list[Violation] = []
    report = None if raising else found.append
    expected = ASGIViolationError if raising else TypeError

    def sync(*_: object) -> None:
        return None

    validated = ASGIValidator(cast("ASGIApp", sync), report=report)
    with pytest.raises(expected):
        Server().run(validated, http())
    with pytest.raises(expected):
        asyncio.run(
            ASGIValidator(hello, report=report)(
                http(), cast("Any", sync), Server().send
            )
        )
    with pytest.raises(expected):
        asyncio.run(
            ASGIValidator(sender(START), report=report)(
                http(), Server().receive, cast("Any", sync)
            )
        )
    names = [violation.rule.name for violation in found]
    awaitables = ["application.awaitable", "callable.awaitable", "callable.awaitable"]
    assert names == ([] if raising else awaitables)


class Guarded:
    """Answers no questions about itself."""

    def __getattribute__(self, name: str) -> NoReturn:
        """Raise."""
        raise RuntimeError(name)


class GuardedAwaitable(Guarded):
    """Can be awaited all the same: that asks the class."""

    def __await__(self) -> Generator[None]:
        """Be done."""
        yield from ()


class Reserved(type):
    """A metaclass that does not say what its classes have."""

    def __getattribute__(cls, name: str) -> Any:
        """Raise for the method that makes an awaitable."""
        if name == "__await__":
            raise RuntimeError(name)
        return super().__getattribute__(name)


class ReservedAwaitable(metaclass=Reserved):
    """Its class does not tell that it can be awaited."""

    def __await__(self) -> Generator[None]:
        """Be done."""
        yield from ()


def returning(value: object) -> ASGIApp:
    """Return an application whose calls return *value*."""
    return cast("ASGIApp", lambda *_: value)


def test_hostile_objects_instead_of_awaitables() -> None:
    """Whether it can be awaited is seen without asking it anything."""
    with pytest.raises(ASGIViolationError, match="an object of class Guarded;"):
        Server().run(ASGIValidator(returning(Guarded())), http())
    for awaitable in (GuardedAwaitable(), ReservedAwaitable()):
        with pytest.raises(ASGIViolationError, match="sends a response or raises"):
            asyncio.run(called(ASGIValidator(returning(awaitable))))


async def called(app: ASGIApp) -> None:
    """Call *app* for one request."""
    server = Server()
    await app(http(), server.receive, server.send)


@types.coroutine
def old_style() -> Generator[None]:
    """Be a coroutine as they were before there was a syntax for them."""
    yield from ()


def test_coroutines_made_of_generators_are_right() -> None:
    """Those of `types.coroutine` can be awaited, other generators cannot."""
    with pytest.raises(ASGIViolationError, match="sends a response or raises"):
        asyncio.run(called(ASGIValidator(returning(old_style()))))
    with pytest.raises(ASGIViolationError, match="an object of class generator;"):
        asyncio.run(called(ASGIValidator(returning(x for x in ""))))


def test_awaitables_other_than_coroutines_are_right() -> None:
    """Whatever has `__await__` can be awaited."""

    class App:
        def __call__(
            self, scope: object, receive: Receive, send: Send
        ) -> Awaitable[None]:
            return asyncio.ensure_future(hello(scope, receive, send))

    async def main() -> None:
        server = Server({"type": "http.request"})
        await ASGIValidator(App())(http(), server.receive, server.send)
        assert len(server.sent) == 2

    asyncio.run(main())


def test_options_are_checked() -> None:
    """The application has to be callable, the profile one of the three."""
    with pytest.raises(TypeError, match="callable"):
        ASGIValidator(cast("ASGIApp", None))
    with pytest.raises(ValueError, match="7 is not a valid Profile"):
        ASGIValidator(hello, profile=7)
    assert ASGIValidator(hello, profile=1).profile is Profile.PRACTICE


def test_error_survives_pickling() -> None:
    """Test runners send exceptions from one process to another."""
    error = ASGIViolationError("what", "server", ("a.rule",))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (str(copy), copy.side, copy.rules) == ("what", "server", ("a.rule",))
    assert isinstance(copy, AssertionError)
