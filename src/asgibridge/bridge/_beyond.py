"""The methods of a bridge for more than calls."""

import inspect
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from ..errors import NotAsyncError, NotSyncError
from ..executors import name_of
from ..types import BlockingExecutor
from ._callables import applied, is_coroutine_function
from ._engine import Engine
from ._iterate import DEFAULT_LOOK_AHEAD, ThreadIterator, check_look_ahead
from ._iterate_sync import LoopIterator
from ._loop_leases import check_may_block, lease_loop
from ._managers import ThreadManager
from ._managers_sync import LoopManager
from ._metadata import dressed_as
from ._pinning import pin
from ._portal import Portal
from ._routes import Route
from ._source import Source
from ._stepwise import Stepwise

__all__ = ("BeyondCalls", "IterateDecorator")

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
E = TypeVar("E", bound=bool | None)


class IterateDecorator(Protocol):
    """Turns a generator function into one whose result is for ``async for``."""

    @overload
    def __call__(
        self, fn: Callable[P, Generator[T, Any, R]], /
    ) -> Callable[P, ThreadIterator[T, R]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Iterable[T]], /
    ) -> Callable[P, ThreadIterator[T, object]]: ...


class BeyondCalls:
    """Iterators, context managers and portals: a part of `Bridge`."""

    __slots__ = ()

    _engine: Engine

    def _route(
        self,
        thread_sensitive: bool,  # noqa: FBT001  # passed on
        executor: BlockingExecutor | None,
    ) -> Route:
        raise NotImplementedError  # pragma: no cover  # Bridge has it

    @overload
    def iterate_in_thread(
        self,
        source: Generator[T, Any, R],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> ThreadIterator[T, R]: ...
    @overload
    def iterate_in_thread(
        self,
        source: Iterable[T],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> ThreadIterator[T, object]: ...
    @overload
    def iterate_in_thread(
        self,
        source: Callable[P, Generator[T, Any, R]],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> Callable[P, ThreadIterator[T, R]]: ...
    @overload
    def iterate_in_thread(
        self,
        source: Callable[P, Iterable[T]],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> Callable[P, ThreadIterator[T, object]]: ...
    @overload
    def iterate_in_thread(
        self,
        source: None = None,
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> IterateDecorator: ...

    def iterate_in_thread(
        self,
        source: Any = None,
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
    ) -> Any:
        """Return the items of a blocking iterable for ``async for``.

        Given a generator function, or any function that returns an iterable,
        return a function with the same parameters that returns such an
        iterator; the function is then called on the thread as well.  Without
        *source*, return a decorator with these options.

        All steps run on one thread and in one context: that of the consumer,
        and what the source sets is seen by the consumer.  A generator that is
        left early is closed on its thread; see `ThreadIterator`.

        Args:
            source: The iterable, or a function that returns one.
            thread_sensitive: Run where related code runs, as with
                `Bridge.sync_to_async`.  Otherwise on one thread of the bridge's
                workers, which is held until the end.
            executor: Has the thread instead; one that lends threads is asked
                for a lease, of any other one call is held.
            look_ahead: How many items the source may be ahead of the consumer.
                With 1 each item is one crossing, and the source runs only when
                the consumer waits for it.

        Raises:
            NotSyncError: If *source* is async, or cannot be iterated.
            OptionError: For options that contradict each other.
        """
        check_look_ahead(look_ahead)
        route = self._route(thread_sensitive, executor)
        steps = partial(
            _make_steps, self._engine, route, executor or self._engine.workers
        )

        def bind(source: Any) -> Any:  # noqa: ANN401  # the overloads say it
            make_steps = partial(steps, _name_of(source))
            if _is_iterable(source):
                items = Source[Any](lambda: source, is_ours=False)
                return ThreadIterator[Any, Any](make_steps, items, look_ahead)

            def call(*args: object, **kwargs: object) -> ThreadIterator[Any, Any]:
                items = Source[Any](partial(source, *args, **kwargs), is_ours=True)
                return ThreadIterator(make_steps, items, look_ahead)

            return call

        return applied(source, _check_may_be_iterated, bind, _dressed_as)

    def iterate_sync(
        self,
        source: AsyncIterable[T],
        /,
        *,
        look_ahead: int = DEFAULT_LOOK_AHEAD,
        helper_loop: bool = False,
    ) -> LoopIterator[T]:
        """Return the items of an async iterable for ``for``.

        All steps run in one task: on the loop above, below a `sync_to_async`
        call, otherwise on a loop that lives as long as the iteration.  The
        thread runs the thread-sensitive calls of the source while it waits for
        an item.  See `LoopIterator` for leaving early.

        Args:
            source: The async iterable.
            look_ahead: How many items it may be ahead of the consumer.  With 1
                it runs only when the consumer waits for it.
            helper_loop: Allow it on a thread that runs an event loop, which
                then stands still while an item is waited for.

        Raises:
            NotAsyncError: If *source* cannot be iterated with ``async for``.
            OptionError: If *look_ahead* has no meaning.
        """
        check_look_ahead(look_ahead)
        _check_is_async_iterable(source)
        name = _name_of(source)

        def lend() -> Any:  # noqa: ANN401  # a LoopLease
            if not helper_loop:
                check_may_block(f"iterate_sync({name})")
            return lease_loop(self._engine, None)

        return LoopIterator(self._engine, lend, source, look_ahead, name)

    def enter(
        self,
        manager: AbstractContextManager[T, E],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
    ) -> ThreadManager[T, E]:
        """Return a blocking context manager as one for ``async with``.

        It is entered and left on one thread, in one context.  See
        `ThreadManager`.

        Args:
            manager: The context manager.
            thread_sensitive: As with `iterate_in_thread`.
            executor: As with `iterate_in_thread`.

        Raises:
            NotSyncError: If *manager* is async, or none.
            OptionError: For options that contradict each other.
        """
        route = self._route(thread_sensitive, executor)
        make_steps = partial(
            _make_steps,
            self._engine,
            route,
            executor or self._engine.workers,
            _name_of(manager),
        )
        return ThreadManager(make_steps, manager)

    def enter_sync(
        self,
        manager: AbstractAsyncContextManager[T, E],
        /,
        *,
        helper_loop: bool = False,
    ) -> LoopManager[T, E]:
        """Return an async context manager as one for ``with``.

        It is entered and left in one task: on the loop above, below a
        `sync_to_async` call, otherwise on a loop that lives as long as the
        block.  See `LoopManager`; for several of them on one loop, `portal`.

        Args:
            manager: The async context manager.
            helper_loop: Allow it on a thread that runs an event loop, which
                then stands still while it enters and leaves.

        Raises:
            NotAsyncError: If *manager* is no async context manager.
        """
        name = _name_of(manager)

        def lend() -> Any:  # noqa: ANN401  # a LoopLease
            if not helper_loop:
                check_may_block(f"enter_sync({name})")
            return lease_loop(self._engine, None)

        return LoopManager(self._engine, lend, manager)

    def portal(self, *, helper_loop: bool = False) -> Portal:
        """Return a portal: a loop for blocking code, used with ``with``.

        Nothing is started before something is run in it.

        Args:
            helper_loop: Allow it on a thread that runs an event loop, as a
                notebook does; that loop stands still during each call.
        """
        return Portal(self._engine, helper_loop=helper_loop)


def _make_steps(
    engine: Engine, route: Route, executor: BlockingExecutor, name: str
) -> Stepwise:
    return Stepwise(engine, pin(engine, route, executor), name)


def _name_of(thing: object) -> str:
    """Return a name for messages; generators have one, other things a type."""
    return name_of(thing) if hasattr(thing, "__qualname__") else name_of(type(thing))


def _is_iterable(source: object) -> bool:
    return isinstance(source, Iterable)


def _check_may_be_iterated(source: object) -> None:
    """Raise `NotSyncError` unless *source* may be, or return, an iterable."""
    if _is_iterable(source):
        return
    if inspect.isasyncgenfunction(source) or hasattr(source, "__aiter__"):
        msg = (
            f"{_name_of(source)} is async already: use `async for`, without "
            f"iterate_in_thread"
        )
        raise NotSyncError(msg)
    if is_coroutine_function(source) or not callable(source):
        msg = (
            f"iterate_in_thread needs an iterable, or a blocking function that "
            f"returns one, got {source!r}"
        )
        raise NotSyncError(msg)


def _check_is_async_iterable(source: object) -> None:
    """Raise `NotAsyncError` unless *source* is an async iterable."""
    if hasattr(type(source), "__aiter__"):
        return
    msg = f"iterate_sync needs an async iterable, got {source!r}"
    if inspect.isasyncgenfunction(source):
        msg += ": call it first"
    elif _is_iterable(source):
        msg += ", a plain one: use `for`, without iterate_sync"
    raise NotAsyncError(msg)


def _dressed_as(source: Any, wrapper: Any) -> Any:  # noqa: ANN401  # the overloads say it
    """Give a function the looks of *source*; an iterator has its own."""
    return dressed_as(source, wrapper) if callable(wrapper) else wrapper
