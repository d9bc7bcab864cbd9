"""Subclasses and patches, as real software has them."""

import asyncio
import functools
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

import pytest

from asgibridge.compat.sync import (
    AsyncToSync,
    SyncToAsync,
    ThreadSensitiveContext,
    async_to_sync,
    sync_to_async,
)

trace: ContextVar[str] = ContextVar("trace")


class Handled(SyncToAsync[Any, Any]):
    """As Channels' DatabaseSyncToAsync."""

    events: list[str]

    def thread_handler(self, loop: Any, *args: Any, **kwargs: Any) -> Any:
        self.events.append("before")
        try:
            return super().thread_handler(loop, *args, **kwargs)
        finally:
            self.events.append("after")


@pytest.fixture
def events() -> Iterator[list[str]]:
    Handled.events = []
    yield Handled.events
    del Handled.events


def test_a_subclass_that_overrides_thread_handler(events: list[str]) -> None:
    def fn(value: int) -> int:
        events.append(threading.current_thread().name)
        trace.set("inner")
        return value

    async def main() -> int:
        value: int = await Handled(fn, thread_sensitive=True)(4)
        assert trace.get() == "inner"
        return value

    assert asyncio.run(main()) == 4
    assert events[0] == "before"
    assert events[1].startswith("compat-")
    assert events[2] == "after"


def test_an_overriding_subclass_raises_what_the_function_raises(
    events: list[str],
) -> None:
    def fn() -> None:
        raise LookupError

    async def main() -> None:
        with pytest.raises(LookupError):
            await Handled(fn)()

    asyncio.run(main())
    assert events == ["before", "after"]


def test_async_code_below_an_overriding_subclass(events: list[str]) -> None:
    async def inner() -> object:
        return asyncio.current_task()

    async def main() -> bool:
        return await Handled(async_to_sync(inner))() is asyncio.current_task()

    assert asyncio.run(main()) is True
    assert events == ["before", "after"]


def test_the_exception_being_handled_is_seen() -> None:
    class Seeing(SyncToAsync[Any, Any]):
        seen: Any = None

        def thread_handler(self, loop: Any, exc_info: Any, *args: Any) -> Any:
            type(self).seen = exc_info[1]
            return super().thread_handler(loop, exc_info, *args)

    async def main() -> object:
        error = KeyError("x")
        try:
            raise error
        except KeyError:
            assert await Seeing(sys.exception)() is error
        return error

    assert Seeing.seen is None
    assert asyncio.run(main()) is Seeing.seen


def test_the_handler_called_directly_handles_the_exception_itself() -> None:
    wrapper = SyncToAsync(sys.exception)
    error = KeyError("x")
    info: Any = (KeyError, error, None)
    loop: Any = None
    assert wrapper.thread_handler(loop, info, [], sys.exception) is error


def test_apm_agents_that_wrap_call_and_thread_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As New Relic: a keyword is put in at one end and taken out at the other."""
    call: Any = SyncToAsync.__call__
    handler: Any = SyncToAsync.thread_handler
    carried: list[str] = []

    @functools.wraps(call)
    async def wrapped_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await call(self, *args, _agent_trace="T", **kwargs)

    @functools.wraps(handler)
    def wrapped_handler(self: Any, *args: Any, **kwargs: Any) -> Any:
        (child,) = [arg for arg in args if isinstance(arg, functools.partial)]
        carried.append(child.keywords.pop("_agent_trace"))
        return handler(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", wrapped_call)
    monkeypatch.setattr(SyncToAsync, "thread_handler", wrapped_handler)

    def fn(value: int) -> int:
        return value

    class Thing:
        @sync_to_async
        def method(self) -> str:
            return "method"

    async def main() -> tuple[int, str]:
        return await sync_to_async(fn)(3), await Thing().method()

    assert asyncio.run(main()) == (3, "method")
    assert carried == ["T", "T"]


class Proxy:
    """As wrapt's FunctionWrapper: passes for what it wraps, also when bound."""

    def __init__(self, wrapped: Any, calls: list[str], owner: Any = None) -> None:
        self.wrapped, self.calls, self.owner = wrapped, calls, owner

    def __get__(self, instance: Any, owner: Any) -> "Proxy":
        return Proxy(self.wrapped.__get__(instance, owner), self.calls, owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(self.wrapped.__name__)
        return self.wrapped(*args, **kwargs)


def test_wrappers_that_pass_for_what_they_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for owner, name in ((SyncToAsync, "thread_handler"), (AsyncToSync, "main_wrap")):
        proxy = Proxy(vars(owner)[name], calls)
        monkeypatch.setattr(owner, name, proxy)

    async def main() -> int:
        return await sync_to_async(threading.get_ident)()

    assert async_to_sync(main)() == threading.get_ident()
    assert calls == ["main_wrap", "thread_handler"]


def test_one_wrapper_that_is_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    patched: Any = sync_to_async(threading.get_ident)
    handler = patched.thread_handler

    def handle(*args: Any) -> Any:
        calls.append(1)
        return handler(*args)

    monkeypatch.setattr(patched, "thread_handler", handle)

    async def main() -> None:
        assert await patched() == await sync_to_async(threading.get_ident)()

    outer: Any = async_to_sync(main)
    main_wrap = outer.main_wrap

    def wrap(*args: Any) -> Any:
        calls.append(2)
        return main_wrap(*args)

    monkeypatch.setattr(outer, "main_wrap", wrap)
    outer()
    assert calls == [2, 1]


def test_patches_are_seen_by_wrappers_made_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[object] = []
    wrapper = sync_to_async(threading.get_ident)
    handler: Any = SyncToAsync.thread_handler

    def patched(*args: Any) -> Any:
        calls.append(1)
        return handler(*args)

    async def main() -> None:
        await wrapper()
        with monkeypatch.context() as patch:
            patch.setattr(SyncToAsync, "thread_handler", patched)
            await wrapper()
        await wrapper()

    asyncio.run(main())
    assert calls == [1]


def test_apm_agents_that_wrap_main_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    main_wrap: Any = AsyncToSync.main_wrap
    threads: list[tuple[str, str]] = []

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None]:
        called_on = threading.current_thread().name
        awaitable = main_wrap(self, *args, **kwargs)

        async def around() -> None:
            threads.append((called_on, threading.current_thread().name))
            await awaitable

        return around()

    monkeypatch.setattr(AsyncToSync, "main_wrap", wrapper)
    trace.set("outer")

    async def fn(value: int) -> int:
        assert trace.get() == "outer"
        trace.set("inner")
        await asyncio.sleep(0)
        return value

    async def failing() -> None:
        raise LookupError

    assert async_to_sync(fn)(3) == 3
    assert trace.get() == "inner"
    with pytest.raises(LookupError):
        async_to_sync(failing)()
    here = threading.current_thread().name
    assert [called_on for called_on, _ in threads] == [here, here]
    assert all(awaited_on != here for _, awaited_on in threads)


def test_a_subclass_that_overrides_main_wrap_below_a_blocking_call() -> None:
    class Wrapped(AsyncToSync[Any, Any]):
        async def main_wrap(self, call_result: "Future[Any]", *args: Any) -> None:
            await super().main_wrap(call_result, *args)

    async def task() -> object:
        return asyncio.current_task()

    async def main() -> bool:
        blocking: Callable[[], object] = Wrapped(task)
        return await sync_to_async(blocking)() is asyncio.current_task()

    assert asyncio.run(main()) is True


def test_wrapped_asgi_applications() -> None:
    """As Sentry and OpenTelemetry do, around a request with its own context."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async with ThreadSensitiveContext():
            await send(await sync_to_async(trace.get)())

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        token = trace.set("span")
        try:
            await application(scope, receive, send)
        finally:
            trace.reset(token)

    sent: list[str] = []

    async def send(event: str) -> None:
        sent.append(event)

    asyncio.run(traced({}, None, send))
    assert sent == ["span"]
