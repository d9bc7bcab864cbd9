"""Blocking iterators for async code."""

import asyncio
from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast, final

from ..errors import NotExhaustedError, OptionError
from ._source import PATIENCE_SECONDS, Source
from ._stepwise import Stepwise, outlast

__all__ = ("DEFAULT_LOOK_AHEAD", "ThreadIterator", "check_look_ahead")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)

# Beyond this a crossing costs little compared with the items it brings.
DEFAULT_LOOK_AHEAD: Final = 32


def check_look_ahead(look_ahead: int) -> None:
    """Raise `OptionError` unless *look_ahead* has a meaning."""
    if look_ahead < 1:
        msg = f"look_ahead counts items and is at least 1, got {look_ahead!r}"
        raise OptionError(msg)


@final
class ThreadIterator(AsyncIterator[T_co], Generic[T_co, R_co]):
    """The items of a blocking iterable, for ``async for``.

    Made by `Bridge.iterate_in_thread`.  Every step of the iterable runs on the
    same thread and in the same context.  It may be ahead of the consumer by a
    bounded number of items, never more.

    Close it on early exit, by `aclose` or ``async with``; a source that is not
    closed is closed when the iterator is collected, or at the end of the loop,
    as with asynchronous generators.  Cancelling a wait for an item closes it as
    well: the wait ends when the step that runs has ended.

    One task at a time may use it.
    """

    __slots__ = ("_items", "_source")

    def __init__(
        self,
        make_steps: Callable[[], Stepwise],
        source: Source[T_co],
        look_ahead: int,
    ) -> None:
        self._source = source
        # An asynchronous generator, for what comes with one: it is closed by the
        # loop if it is collected or if the loop ends.
        self._items = _iterate(make_steps, source, look_ahead)

    async def __anext__(self) -> T_co:
        """Return the next item.

        Raises:
            StopAsyncIteration: At the end, with the return value of a generator.
        """
        try:
            return await self._items.__anext__()
        except StopAsyncIteration:
            end = self._source.end
            raise StopAsyncIteration(None if end is None else end.value) from None

    async def athrow(self, exception: BaseException, /) -> T_co:
        """Raise *exception* in the generator and return what it yields next.

        Items that it was ahead are dropped.  An iterable that is no generator
        is closed, and the exception comes back.
        """
        return await self._items.athrow(exception)

    async def aclose(self) -> None:
        """Close the source, on its thread.  A second time does nothing.

        A step that runs is waited for.  Cancelling the close does not keep it
        from being done.
        """
        await self._items.aclose()

    @property
    def returned(self) -> R_co:
        """The return value of the generator.

        Raises:
            NotExhaustedError: If it has not returned.
        """
        end = self._source.end
        if end is None or not end.is_return or self._source.buffer:
            msg = "there is no return value: the iteration has not come to its end"
            raise NotExhaustedError(msg)
        return cast("R_co", end.value)

    async def __aenter__(self) -> Self:
        """Return the iterator."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Close the iterator."""
        await self.aclose()


async def _iterate(
    make_steps: Callable[[], Stepwise], source: Source[T], look_ahead: int
) -> AsyncGenerator[T, None]:
    puller = _Puller(make_steps(), source, look_ahead)
    try:
        while await puller.has_item():
            try:
                yield source.buffer.popleft()
            except GeneratorExit:
                raise
            except BaseException as exc:  # noqa: BLE001  # the source gets it
                await puller.throw(exc)
    finally:
        await puller.close()


@final
class _Puller(Generic[T]):
    """Sees to it that the buffer of a source has items."""

    __slots__ = ("_limit", "_look_ahead", "_pull", "_source", "_steps")

    def __init__(self, steps: Stepwise, source: Source[T], look_ahead: int) -> None:
        self._steps = steps
        self._source = source
        self._look_ahead = look_ahead
        # Doubled while the source is quick: who takes one item and leaves does
        # not make it run far ahead.
        self._limit = 1
        self._pull: asyncio.Task[bool] | None = None

    async def has_item(self) -> bool:
        """Wait until there is an item; False, or what was raised, at the end."""
        source = self._source
        while not source.buffer:
            if source.end is None:
                await self._fill()
            elif (exception := source.take_exception()) is None:
                return False
            else:
                try:
                    raise exception
                finally:
                    del exception  # no cycle through this frame
        return True

    async def _fill(self) -> None:
        """Wait until there is an item or the end."""
        source = self._source
        pull = self._pull
        if pull is None:
            pull = self._pull = self._steps.begin(source.pull, self._limit)
        # A quick source has the whole batch by then, at the price of one wait.  A
        # single item comes with what the source has set, which the task brings.
        patience = PATIENCE_SECONDS if self._limit > 1 else None
        await asyncio.wait((pull,), timeout=patience)
        if not pull.done() and not source.buffer:
            first = source.first_item(pull.get_loop())
            await asyncio.wait((pull, first), return_when=asyncio.FIRST_COMPLETED)
        if pull.done():
            self._collect(pull)

    def _collect(self, pull: "asyncio.Task[bool]") -> None:
        self._pull = None
        self._steps.end()
        try:
            if pull.result():
                self._limit = min(self._limit * 2, self._look_ahead)
        finally:
            del pull

    async def throw(self, exception: BaseException) -> None:
        """Raise *exception* in the source; what it yields is in the buffer then."""
        cancellation = await self._settle(self._pull)
        self._source.buffer.clear()
        if cancellation is not None:
            raise cancellation
        if self._source.end is not None:
            raise exception
        await self._step(self._source.throw, exception)

    async def close(self) -> None:
        """Close the source after the step that runs; nothing comes after that."""
        pull = self._pull
        if pull is not None:
            pull.cancel()  # withdraws it if it is queued
        cancellation = await self._settle(pull)
        try:
            if self._source.needs_closing:
                await self._step(self._source.close)
        finally:
            self._steps.release()
        if cancellation is not None:
            raise cancellation

    async def _settle(self, pull: "asyncio.Task[bool] | None") -> CancelledError | None:
        if pull is None:
            return None
        cancellation = await outlast(pull)
        self._pull = None
        self._steps.end()
        return cancellation

    async def _step(self, fn: Callable[..., Any], *args: object) -> None:
        task, cancellation = await self._steps.run(fn, *args)
        try:
            if cancellation is not None:
                raise cancellation from task.exception()
            task.result()
        finally:
            del task, cancellation
