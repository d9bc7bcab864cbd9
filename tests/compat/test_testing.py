"""`asgibridge.compat.testing`, `.compatibility`, `.timeout` and `.local`."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from asgibridge.compat.compatibility import (
    guarantee_single_callable,
    is_double_callable,
)
from asgibridge.compat.local import Local
from asgibridge.compat.testing import ApplicationCommunicator
from asgibridge.compat.timeout import timeout
from asgibridge.local import Local as OurLocal, ThreadCriticalLocal

variable: ContextVar[str] = ContextVar("variable")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send(variable.get(None))
    await send(await receive())


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("broken")


async def wait_for_ever(scope: Any, receive: Any, send: Any) -> None:
    await receive()


def test_a_conversation() -> None:
    async def main() -> None:
        variable.set("of the test")
        talk = ApplicationCommunicator(echo, {})
        assert await talk.receive_output() is None
        assert await talk.receive_nothing(0.01, 0.001)
        await talk.send_input("hello")
        assert not await talk.receive_nothing()
        assert await talk.receive_output() == "hello"
        await talk.wait()
        talk.stop()

    asyncio.run(main())


def test_exceptions_of_the_application() -> None:
    async def main() -> None:
        talk = ApplicationCommunicator(fail, {})
        with pytest.raises(LookupError):
            await talk.receive_output(1)
        with pytest.raises(LookupError):
            await talk.wait()
        with pytest.raises(LookupError):
            await talk.send_input(1)
        with pytest.raises(LookupError):
            talk.stop()
        talk.stop(exceptions=False)

    asyncio.run(main())


def test_timeouts_end_the_application() -> None:
    async def main() -> None:
        for wait in (
            ApplicationCommunicator.wait,
            ApplicationCommunicator.receive_output,
        ):
            talk = ApplicationCommunicator(wait_for_ever, {})
            with pytest.raises(TimeoutError):
                await wait(talk, timeout=0.001)
            assert talk.future.cancelled()
            await talk.wait()

    asyncio.run(main())


@pytest.mark.parametrize(
    "talk_to",
    [
        lambda talk: talk.send_input("late"),
        lambda talk: talk.receive_output(60),
        lambda talk: talk.receive_nothing(60),
    ],
    ids=["send_input", "receive_output", "receive_nothing"],
)
def test_there_is_nobody_to_talk_to_after_a_timeout(
    talk_to: Callable[[ApplicationCommunicator], Awaitable[object]],
) -> None:
    """As with asgiref, and as Channels' tests expect it of `disconnect`."""

    async def main() -> None:
        talk = ApplicationCommunicator(wait_for_ever, {})
        with pytest.raises(TimeoutError):
            await talk.receive_output(0.001)
        with pytest.raises(asyncio.CancelledError):
            await talk_to(talk)
        await talk.wait()

    asyncio.run(main())


@pytest.mark.parametrize("method", ["wait", "receive_output"])
def test_whoever_waits_can_be_cancelled(method: str) -> None:
    """Not swallowed, as by asgiref: it is not the application's cancellation."""

    async def main() -> None:
        talk = ApplicationCommunicator(wait_for_ever, {})
        task = asyncio.create_task(getattr(talk, method)(60))
        await asyncio.sleep(0)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        talk.stop(exceptions=False)

    asyncio.run(main())


def test_an_application_that_ends_when_cancelled() -> None:
    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
        except asyncio.CancelledError:
            raise LookupError("in the end") from None

    async def main() -> None:
        talk = ApplicationCommunicator(stubborn, {})
        with pytest.raises(TimeoutError):
            await talk.receive_output(0.001)
        with pytest.raises(LookupError):
            await talk.wait()

    asyncio.run(main())


def test_dropping_it_cancels_the_application() -> None:
    async def main() -> None:
        talk = ApplicationCommunicator(wait_for_ever, {})
        future = talk.future
        await asyncio.sleep(0)
        del talk
        gc.collect()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(main())
    ApplicationCommunicator(wait_for_ever, {}).stop()


class Double:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> Any:
        return self.scope


def test_double_callables() -> None:
    class Hinted:
        _asgi_single_callable = True

    class HintedDouble:
        _asgi_double_callable = True

        async def __call__(self) -> None: ...

    assert is_double_callable(Double)
    assert not is_double_callable(Double(None))
    assert not is_double_callable(echo)
    assert is_double_callable(lambda scope: scope)
    assert not is_double_callable(Hinted)
    assert is_double_callable(HintedDouble())
    assert guarantee_single_callable(echo) is echo
    assert asyncio.run(guarantee_single_callable(Double)("s", None, None)) == "s"


@pytest.mark.filterwarnings("ignore:asgiref.timeout:DeprecationWarning")
def test_timeout() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with timeout(0.001) as block:
                await asyncio.Event().wait()
        assert block.expired
        assert block.remaining == 0.0
        with pytest.raises(TimeoutError):
            async with timeout(0):
                await asyncio.Event().wait()
        with timeout(None) as none:
            assert none.remaining is None
        async with timeout(60) as long:
            remaining = long.remaining
            assert remaining is not None
            assert 0 < remaining <= 60
        assert not long.expired
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:asgiref.timeout:DeprecationWarning")
def test_timeout_gives_way_to_others() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(LookupError):
            async with timeout(0.001):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise LookupError from None
        with pytest.raises(asyncio.CancelledError):
            async with timeout(0):
                task.cancel()
                await asyncio.sleep(0)
                await asyncio.Event().wait()
        task.uncancel()
        block = timeout(0)
        async with block:
            pass
        await asyncio.sleep(0)
        block._expire()  # as if it had been about to run
        assert not block.expired

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:asgiref.timeout:DeprecationWarning")
def test_timeout_outside_of_a_task() -> None:
    loop = asyncio.new_event_loop()
    with (
        pytest.warns(DeprecationWarning, match="loop argument"),
        timeout(None, loop=loop),
    ):
        pass
    with (
        pytest.warns(DeprecationWarning, match="loop argument"),
        pytest.raises(RuntimeError, match="inside a task"),
        timeout(1, loop=loop),
    ):
        pass
    loop.close()


def test_local_has_asgirefs_signature() -> None:
    plain = Local()
    critical = Local(True)  # noqa: FBT003  # as with asgiref
    plain.x = 1
    assert plain.x == 1
    del plain.x
    assert not hasattr(plain, "x")
    assert isinstance(plain, Local)
    assert isinstance(critical, Local)
    types = [type(local) for local in (plain, critical)]
    assert types == [OurLocal, ThreadCriticalLocal]
    other: object = 1
    assert not isinstance(other, Local)


def test_local_cannot_be_subclassed() -> None:
    mine: Any = type("Mine", (Local,), {})
    with pytest.raises(TypeError, match="asgibridge"):
        mine()
