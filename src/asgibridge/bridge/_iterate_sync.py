"""Async iterators for blocking code."""

import asyncio
import threading
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
)
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar, final

from ..errors import LoopStoppedError, WrongThreadError
from ._actor import Actor
from ._engine import Engine
from ._errand import Errand
from ._late import report_late
from ._loop_leases import LoopLease
from ._source import Ended

__all__ = ("LoopIterator",)

T = TypeVar("T")


@final
class LoopIterator(Iterator[T]):
    """The items of an async iterable, for ``for``.

    Made by `Bridge.iterate_sync`.  Every step of the iterable runs in the same
    task, on the loop above or, where there is none, on a loop that lives as
    long as the iteration.  It may be ahead of the consumer by a bounded number
    of items, never more.

    Close it on early exit, by `close` or ``with``.  One that is collected
    unclosed closes its source, without waiting for that.

    The thread that takes the first item takes the others as well: it runs the
    thread-sensitive calls of the source meanwhile.
    """

    __slots__ = ("_driver",)

    def __init__(
        self,
        engine: Engine,
        lease: Callable[[], LoopLease],
        source: AsyncIterable[T],
        look_ahead: int,
        name: str,
    ) -> None:
        self._driver = _Driver(engine, lease, _Items(source, look_ahead), name)

    def __next__(self) -> T:
        """Return the next item.

        Raises:
            StopIteration: At the end.
            WrongThreadError: If another thread has begun the iteration.
        """
        return self._driver.next()

    def throw(self, exception: BaseException, /) -> T:
        """Raise *exception* in an async generator; return what it yields next.

        Items that it was ahead are dropped.  An iterable that is no generator
        is closed, and the exception comes back.
        """
        return self._driver.throw(exception)

    def close(self) -> None:
        """Close the source; a step that runs is cancelled.

        From any thread.  A second time does nothing.
        """
        self._driver.close()

    def __enter__(self) -> Self:
        """Return the iterator."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Close the iterator."""
        self.close()

    def __del__(self) -> None:
        """Have the source closed."""
        self._driver.abandon()


@final
class _Items(Generic[T]):
    """The loop's side of an iteration.

    The buffer is appended to by one side and taken from by the other.
    """

    __slots__ = ("_look_ahead", "_source", "buffer", "end", "iterator", "limit")

    def __init__(self, source: AsyncIterable[T], look_ahead: int) -> None:
        self._source = source
        self._look_ahead = look_ahead
        self.iterator: AsyncIterator[T] | None = None
        self.buffer: deque[T] = deque()
        self.end: Ended | None = None
        # Doubled with each batch: who takes one item and leaves does not make
        # the source run far ahead.
        self.limit = 1

    async def pull(self, tell: Callable[[], None]) -> None:
        """Append up to `limit` items, or set `end`."""
        loop = asyncio.get_running_loop()
        if self.iterator is None:
            self.iterator = aiter(self._source)
        for index in range(self.limit):
            if not await self._take(anext(self.iterator)):
                return
            if index == 0:
                # Runs as soon as the source has to wait for something: then the
                # consumer gets what there is. Until then the batch grows.
                loop.call_soon(tell)
        self.limit = min(self.limit * 2, self._look_ahead)

    async def throw(self, exception: BaseException) -> None:
        """Raise *exception* in the source, and go on with what it yields."""
        self.buffer.clear()
        generator = self.iterator
        if self.end is not None or not isinstance(generator, AsyncGenerator):
            raise exception
        await self._take(generator.athrow(exception))

    async def close(self) -> None:
        """Close the source, if it is begun and has not ended."""
        iterator, self.iterator = self.iterator, None
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()

    async def _take(self, step: Awaitable[T]) -> bool:
        try:
            item = await step
        except StopAsyncIteration as stop:
            self.end = Ended(stop.args[0] if stop.args else None)
            return False
        except BaseException:
            self.end = Ended(is_return=False)
            raise
        self.buffer.append(item)
        return True


@final
class _Driver(Generic[T]):
    """The thread's side of an iteration; not what users hold on to."""

    __slots__ = ("_actor", "_engine", "_errand", "_items", "_lease", "_lend", "_name")

    def __init__(
        self,
        engine: Engine,
        lend: Callable[[], LoopLease],
        items: _Items[T],
        name: str,
    ) -> None:
        self._engine = engine
        self._lend = lend
        self._items = items
        self._name = name
        self._lease: LoopLease | None = None
        self._actor: Actor | None = None
        # Fetches items, perhaps while this thread does something else.
        self._errand: Errand[None] | None = None

    def next(self) -> T:
        """Return the next item."""
        items = self._items
        while not items.buffer:
            if self._errand is None:
                if items.end is not None:
                    value, items.end = items.end.value, Ended()
                    self._finish()
                    raise StopIteration(value)
                self._errand = self._ask()
            self._await(self._errand)
        return items.buffer.popleft()

    def _ask(self) -> Errand[None]:
        call = self._engine.threads.state.call
        if call is not None:
            call.check_cancelled()
        return self._begun().send(self._items.pull, self._tell)

    def _await(self, errand: Errand[None]) -> None:
        """Wait until there are items, or *errand* has ended."""
        items, actor = self._items, self._begun()
        if errand.frame.thread != self._engine.threads.state.ident:
            msg = (
                f"{self._name} was begun on thread {errand.frame.thread}, which runs "
                f"the thread-sensitive calls of it; take all items on one thread"
            )
            raise WrongThreadError(msg)
        actor.wait(errand, lambda: bool(items.buffer))
        # An error is for later: first the items that came before it.
        if errand.is_ok or (errand.is_done and not items.buffer):
            self._errand = None
            try:
                actor.take(errand)
            except BaseException:
                self._finish()
                raise

    def _tell(self) -> None:
        errand = self._errand
        if errand is not None:  # else the thread looks by itself, later
            errand.tell()

    def throw(self, exception: BaseException) -> T:
        """Raise *exception* in the source; return what it yields next."""
        actor = self._actor
        if actor is None or self._items.end is not None:
            self.close()
            raise exception
        errand, self._errand = self._errand, None
        if errand is not None:
            actor.wait(errand)
            self._drop(actor, errand)
        try:
            actor.call(self._items.throw, exception)
        except BaseException:
            self.close()
            raise
        return self.next()

    def close(self) -> None:
        """Cancel the step that runs, close the source and end the task."""
        items, actor = self._items, self._actor
        items.buffer.clear()
        was_open, items.end = items.end is None, Ended()
        if actor is None:
            return
        errand, self._errand = self._errand, None
        try:
            if errand is not None:
                actor.recall(errand)
                actor.wait(errand, to_the_end=True)
                self._drop(actor, errand)
            if was_open:
                actor.call(items.close, to_the_end=True)
        finally:
            self._finish()

    def _drop(self, actor: Actor, errand: Errand[None]) -> None:
        """Take *errand*, nobody being left to be told what it raised."""
        try:
            actor.take(errand)
        except BaseException as exc:  # noqa: BLE001  # reported, not lost
            report_late(self._name, exc, None)

    def abandon(self) -> None:
        """Close without waiting, from wherever an object is collected."""
        if self._actor is None:
            return
        # A thread, because closing waits, and this may be the loop's own.
        with suppress(RuntimeError):  # none is started as the interpreter exits
            threading.Thread(target=self._close_late, daemon=True).start()

    def _close_late(self) -> None:
        try:
            self.close()
        except LoopStoppedError:
            return  # with its loop the source has ended as well
        except BaseException as exc:  # noqa: BLE001  # reported, not lost
            report_late(self._name, exc, None)

    def _begun(self) -> Actor:
        if self._actor is None:
            lease = self._lease = self._lend()
            self._actor = Actor(self._engine, lease.loop, self._give_up, self._name)
        return self._actor

    def _finish(self) -> None:
        actor, self._actor = self._actor, None
        lease, self._lease = self._lease, None
        if actor is None or lease is None:
            return
        try:
            actor.end()
        finally:
            lease.release()

    async def _give_up(self) -> bool:
        """The task is cancelled between two items: close the source there.

        The loop ends, or a timeout in the source has run out.  The next use
        raises the cancellation.
        """
        await self._items.close()
        return True
