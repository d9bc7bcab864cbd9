"""`asgibridge.compat.sync`, called as asgiref's users call it."""

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import WRAPPER_ASSIGNMENTS, partial, update_wrapper
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.bridge import Inside
from asgibridge.compat import configure, default_bridge
from asgibridge.compat._default import DEFAULT
from asgibridge.compat.sync import (
    AsyncToSync,
    SyncToAsync,
    async_to_sync,
    iscoroutinefunction,
    markcoroutinefunction,
    sync_to_async,
)
from asgibridge.errors import BridgeClosedError, ExecutorClosedError, OptionError

tenant: ContextVar[str] = ContextVar("tenant")


def name_of_thread() -> str:
    return threading.current_thread().name


def run(fn: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await fn()

    return asyncio.run(main())


def test_a_blocking_function_runs_on_the_default_bridges_thread() -> None:
    assert run(sync_to_async(name_of_thread)).startswith("compat-")


def test_decorator_with_options() -> None:
    @sync_to_async(thread_sensitive=False)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert isinstance(add, SyncToAsync)
    assert run(lambda: add(1, b=2)) == 3
    assert vars(add)["__name__"] == "add"
    assert iscoroutinefunction(add)


def test_generator_functions_are_accepted_as_by_asgiref() -> None:
    def numbers() -> Any:
        yield 1

    assert list(run(sync_to_async(numbers))) == [1]


def test_methods() -> None:
    class Thing:
        value = 5

        @sync_to_async
        def read(self) -> int:
            return self.value

        @async_to_sync
        async def aread(self) -> int:
            return self.value

    thing = Thing()
    assert run(thing.read) == 5
    assert thing.aread() == 5
    bound: Any = sync_to_async(thing.aread)
    assert run(bound) == 5


def test_bound_methods_keep_their_owner() -> None:
    class Thing:
        def read(self) -> "Thing":
            return self

        async def aread(self) -> "Thing":
            return self

    thing = Thing()
    asynchronous: Any = sync_to_async(thing.read)
    blocking: Any = async_to_sync(thing.aread)
    assert asynchronous.__self__ is thing
    assert blocking.__self__ is thing
    assert blocking() is thing


def test_async_functions_are_refused() -> None:
    async def fn() -> None: ...

    for bad in (fn, partial(fn), 1):
        refused: Any = bad
        with pytest.raises(TypeError, match="can only be applied to sync functions"):
            sync_to_async(refused)


def test_what_is_marked_as_async_is_refused() -> None:
    def function() -> None: ...

    class Thing:
        def method(self) -> None: ...

        async def amethod(self) -> None: ...

    class Called:
        async def __call__(self) -> None: ...

    marked: Any = markcoroutinefunction(function)
    markcoroutinefunction(vars(Thing)["method"])
    for bad in (marked, Thing().method, Thing().amethod, Called()):
        refused: Any = bad
        with pytest.raises(TypeError, match="can only be applied to sync functions"):
            sync_to_async(refused)


def test_wrappers_have_the_attributes_of_functions_and_methods() -> None:
    def function() -> int:
        """Say nothing."""
        return 0

    class Thing:
        def method(self) -> int:
            """Say little."""
            return 1

    vars(function)["note"] = "noted"
    for wrapped in (function, Thing().method):
        expected: Any = update_wrapper(SyncToAsync(len), wrapped)
        wrapper: Any = sync_to_async(wrapped)
        names = (*WRAPPER_ASSIGNMENTS, "__wrapped__", "note")
        found = [getattr(wrapper, name, None) for name in names]
        assert found == [getattr(expected, name, None) for name in names]


def test_an_executor_needs_code_that_is_not_thread_sensitive() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        with pytest.raises(TypeError, match="executor must not be set"):
            sync_to_async(name_of_thread, executor=executor)
        mine = sync_to_async(name_of_thread, thread_sensitive=False, executor=executor)
        assert run(mine).startswith("mine")


def test_without_an_executor_the_bridges_workers_run_it() -> None:
    """Not the loop's default executor, which belongs to one loop."""
    worker = sync_to_async(name_of_thread, thread_sensitive=False)

    async def main() -> str:
        with ThreadPoolExecutor(1, thread_name_prefix="loops") as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            return await worker()

    assert asyncio.run(main()).startswith("compat-worker")


def test_wrappers_follow_configure(default: Bridge) -> None:
    there = sync_to_async(name_of_thread)

    async def here() -> str:
        return await there()

    back = async_to_sync(here)
    assert default_bridge() is default
    assert run(there).startswith("compat-")
    assert back() == name_of_thread()
    with Bridge(name="other") as other:
        configure(other)
        assert run(there).startswith("other-")
        assert back() == name_of_thread()
    with pytest.raises((BridgeClosedError, ExecutorClosedError)):
        run(there)


def test_a_bridge_is_built_when_needed_and_closed_when_replaced() -> None:
    configure()
    built = default_bridge()
    assert default_bridge() is built
    assert run(sync_to_async(name_of_thread)).startswith("asgibridge-")
    configure()
    assert "closed" in repr(built)
    assert default_bridge() is not built


def join_what_closes() -> None:
    for thread in threading.enumerate():
        if thread.name == "asgibridge-close":
            thread.join(60)
            assert not thread.is_alive()


@pytest.mark.parametrize("wrong", [Bridge, "default", False])
def test_configure_refuses_what_is_no_bridge(default: Bridge, wrong: Any) -> None:
    with pytest.raises(OptionError, match=r"takes an asgibridge.Bridge or None, got"):
        configure(wrong)
    assert default_bridge() is default


def test_configure_on_a_loop_that_a_call_waits_for() -> None:
    configure()
    built = default_bridge()
    started, release = threading.Event(), threading.Event()

    def block() -> bool:
        started.set()
        return release.wait(60)

    async def main() -> bool:
        task = asyncio.create_task(sync_to_async(block)())
        while not started.is_set():
            await asyncio.sleep(0)
        configure()
        assert default_bridge() is not built
        release.set()  # as this loop alone would do it
        return await task

    assert asyncio.run(main()) is True
    join_what_closes()
    assert "closed" in repr(built)


def reconfigure() -> None:
    configure()


async def areconfigure() -> None:
    configure()


# Wrappers are made anew: one keeps the last bridge that it has worked on.
def in_sensitive_call() -> None:
    run(sync_to_async(reconfigure))


def in_call_of_a_worker() -> None:
    run(sync_to_async(reconfigure, thread_sensitive=False))


def on_its_loop() -> None:
    async_to_sync(areconfigure)()


def on_a_thread_that_waits() -> None:
    async_to_sync(sync_to_async(reconfigure))()


@pytest.mark.parametrize(
    "call",
    [in_sensitive_call, in_call_of_a_worker, on_its_loop, on_a_thread_that_waits],
)
def test_configure_in_a_call_of_the_bridge(call: Callable[[], object]) -> None:
    configure()
    built = default_bridge()
    call()
    join_what_closes()
    assert "closed" in repr(built)
    assert default_bridge() is not built


@pytest.mark.parametrize("abandons", [True, False])
def test_what_a_cancellation_does_is_configured(
    default: Bridge, *, abandons: bool
) -> None:
    configure(default, abandon_on_cancel=abandons)
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(60)

    async def main() -> bool:
        task = asyncio.create_task(sync_to_async(block)())
        while not started.is_set():
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=0.05)
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return bool(done)

    assert asyncio.run(main()) is abandons


def test_what_an_abandoned_call_raises_is_reported() -> None:
    started, release = threading.Event(), threading.Event()

    def fail() -> None:
        started.set()
        release.wait(60)
        raise LookupError("late")

    async def main() -> BaseException:
        loop = asyncio.get_running_loop()
        reported: asyncio.Future[BaseException] = loop.create_future()
        loop.set_exception_handler(
            lambda _, context: reported.set_result(context["exception"])
        )
        task = asyncio.create_task(sync_to_async(fail)())
        while not started.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        return await asyncio.wait_for(reported, 60)

    assert str(asyncio.run(main())) == "late"


def test_wrappers_can_be_copied_before_and_after_a_call() -> None:
    """As asgiref's can: objects that have one are copied with it."""

    async def seven() -> int:
        return 7

    there, blocking = sync_to_async(lambda: 7), async_to_sync(seven)
    for _ in range(2):
        for copied in (copy.copy(there), copy.deepcopy(there)):
            assert run(copied) == 7
        for again in (copy.copy(blocking), copy.deepcopy(blocking)):
            assert again() == 7
        assert run(there) == blocking() == 7


def test_calls_with_the_same_context_see_each_other() -> None:
    tenant.set("")
    context = copy_context()

    def append() -> None:
        tenant.set(tenant.get() + "x")

    async def main() -> None:
        calls = (sync_to_async(append, context=context)() for _ in range(10))
        await asyncio.gather(*calls)

    asyncio.run(main())
    assert context[tenant] == "x" * 10
    assert tenant.get() == ""


def test_context_flows_both_ways() -> None:
    tenant.set("a")

    def change() -> None:
        tenant.set(tenant.get() + "b")

    async def main() -> None:
        await sync_to_async(change)()
        tenant.set(tenant.get() + "c")

    async_to_sync(main)()
    assert tenant.get() == "abc"


def test_async_to_sync_warns_of_functions_that_are_not_async() -> None:
    def later() -> Awaitable[int]:
        async def inner() -> int:
            return 7

        return inner()

    with pytest.warns(UserWarning, match="non-async-marked callable") as caught:
        blocking = async_to_sync(later)
    assert caught[0].filename == __file__ or caught[0].filename.endswith("sync.py")
    assert blocking() == 7


def test_callables_that_return_awaitables_are_called_by_the_caller() -> None:
    threads: list[str] = []

    class Middleware:
        def __call__(self) -> Awaitable[str]:
            threads.append(name_of_thread())
            return self.acall()

        async def acall(self) -> str:
            return name_of_thread()

    middleware = markcoroutinefunction(Middleware())
    blocking = async_to_sync(middleware)
    assert blocking() != name_of_thread()
    assert threads == [name_of_thread()]


def test_async_to_sync_decorator_with_options() -> None:
    @async_to_sync(force_new_loop=True)
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    async def main() -> bool:
        inner = await sync_to_async(loop)()
        return bool(inner == id(asyncio.get_running_loop()))

    assert isinstance(loop, AsyncToSync)
    assert asyncio.run(main()) is False


def test_a_running_loop_is_refused() -> None:
    async def fn() -> None: ...

    class Called:
        def __call__(self) -> Awaitable[None]:
            return fn()

    async def main() -> None:
        with pytest.raises(RuntimeError):
            async_to_sync(fn)()
        with pytest.raises(RuntimeError, match="You cannot use AsyncToSync"):
            async_to_sync(markcoroutinefunction(Called()))()

    asyncio.run(main())


def test_what_is_not_awaited_is_closed(default: Bridge) -> None:
    states: list[Any] = []

    async def inner() -> None: ...

    class Called:
        def __call__(self) -> Awaitable[None]:
            coro = inner()
            states.append(coro)
            return coro

    blocking = async_to_sync(markcoroutinefunction(Called()))
    default.close()
    with pytest.raises((BridgeClosedError, ExecutorClosedError)):
        blocking()
    assert states[0].cr_frame is None


def test_awaitables_that_are_no_coroutines() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return 3

    class Called:
        def __call__(self) -> Later:
            return Later()

    assert async_to_sync(markcoroutinefunction(Called()))() == 3


def test_async_partials() -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    assert async_to_sync(partial(add, 1))(2) == 3


def test_two_threads_build_one_bridge() -> None:
    configure()
    first = DEFAULT.build()
    assert DEFAULT.build() is first


def test_marks() -> None:
    class Thing:
        def __call__(self) -> None: ...

    thing = Thing()
    assert not iscoroutinefunction(thing)
    assert markcoroutinefunction(thing) is thing
    assert iscoroutinefunction(thing)


@pytest.fixture
def call_meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[object]]:
    """Return what has another thread call something while a wrapper is prepared."""

    def stage(method: str, fn: Callable[[], object]) -> list[object]:
        original = getattr(Inside, method)
        found: list[object] = []

        def prepare(*args: Any, **kwargs: Any) -> Any:
            with monkeypatch.context() as patch, ThreadPoolExecutor(1) as other:
                patch.setattr(Inside, method, original)
                found.append(other.submit(fn).result(60))
            return original(*args, **kwargs)

        monkeypatch.setattr(Inside, method, prepare)
        return found

    return stage


def test_two_threads_call_a_new_wrapper_of_an_async_function(
    call_meanwhile: Callable[..., list[object]],
) -> None:
    """As in a threaded WSGI server, whose threads share the middleware."""

    async def fn() -> int:
        return 7

    blocking = async_to_sync(fn)
    found = call_meanwhile("unchecked_sync", blocking)
    assert blocking() == 7
    assert found == [7]


def test_two_loops_call_a_new_wrapper_of_a_blocking_function(
    call_meanwhile: Callable[..., list[object]],
) -> None:
    there = sync_to_async(lambda: 7, thread_sensitive=False)
    found = call_meanwhile("binder", lambda: run(there))
    assert run(there) == 7
    assert found == [7]
