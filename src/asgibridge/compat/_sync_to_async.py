"""asgiref's `SyncToAsync`: blocking code for async callers."""

import sys
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from functools import WRAPPER_ASSIGNMENTS, partial, update_wrapper
from types import FunctionType, MethodType, TracebackType
from typing import Any, Final, Generic, ParamSpec, TypeAlias, TypeVar

from ..types import BlockingExecutor
from ._default import DEFAULT, UNMADE, Choice
from ._marks import is_async, markcoroutinefunction
from ._state import CONTEXT_EXECUTORS, DEADLOCK_CONTEXT, THREAD_SENSITIVE_CONTEXT
from ._turns import turn_of
from ._views import SingleThreadExecutor, ThreadView

__all__ = ("SyncToAsync",)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
)


class SyncToAsync(Generic[P, R]):
    """Makes a blocking function async: it runs on a thread of the default bridge.

    A subclass, or whoever patches this class, may replace `thread_handler`,
    which then is called on that thread for every call.

    Args:
        func: A blocking callable.
        thread_sensitive: Run where related code runs.
        executor: Runs the calls of a function that is not thread-sensitive.
        context: What the function runs in, instead of its caller's context.

    Raises:
        TypeError: If *func* is async or not callable, or if an executor is given
            for thread-sensitive code.
    """

    # Others may be put here: see SharedThread.
    single_thread_executor: Executor = SingleThreadExecutor()
    threadlocal: ThreadView = ThreadView()
    thread_sensitive_context = THREAD_SENSITIVE_CONTEXT
    context_to_thread_executor = CONTEXT_EXECUTORS
    deadlock_context = DEADLOCK_CONTEXT

    def __init__(
        self,
        func: Callable[P, R],
        thread_sensitive: bool = True,  # noqa: FBT001, FBT002  # asgiref's signature
        executor: BlockingExecutor | None = None,
        context: Context | None = None,
    ) -> None:
        _check_is_sync(func)
        if thread_sensitive and executor is not None:
            msg = "executor must not be set when thread_sensitive is True"
            raise TypeError(msg)
        # First: it copies the attributes of func over those of self.
        _dress(self, func)
        markcoroutinefunction(self)
        self.func = func
        self.context = context
        self._thread_sensitive = thread_sensitive
        self._executor = executor
        # Both at once: other threads may call this as well.
        self._crossing: tuple[object, Callable[..., Coroutine[Any, Any, R]]] = UNMADE
        owner = getattr(func, "__self__", None)
        if owner is not None:
            self.__self__ = owner

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function on its thread, and return what it returns."""
        __traceback_hide__ = True  # debug pages ask for it
        # Looked up in the class: what wrapt and New Relic put there gives the
        # original as `__func__` of the bound method.
        if (
            type(self).thread_handler is not _THREAD_HANDLER
            or "thread_handler" in self.__dict__
        ):
            return await self._call_handler(args, kwargs)
        made_for, crossing = self._crossing
        if made_for is not DEFAULT.current:
            choice = DEFAULT.choose()
            crossing = self._cross(choice, self.func)
            self._crossing = choice, crossing
        if self.context is not None:
            async with turn_of(self.context):
                return await crossing(*args, **kwargs)
        return await crossing(*args, **kwargs)

    def __get__(
        self,
        parent: Any,  # noqa: ANN401  # an instance of whatever has the method
        objtype: object,
    ) -> Callable[..., Coroutine[Any, Any, R]]:
        """Bind the instance, for methods."""
        return update_wrapper(partial(self.__call__, parent), self.func)

    def thread_handler(
        self,
        loop: AbstractEventLoop,  # for those who override it
        exc_info: ExcInfo,
        task_context: list[Any],  # see above
        func: Callable[..., T],
        *args: Any,  # noqa: ANN401  # the caller's
        **kwargs: Any,  # noqa: ANN401  # the caller's
    ) -> T:
        """Call ``func(*args, **kwargs)``; on the thread.  May be overridden.

        Args:
            loop: Of the task that waits.
            exc_info: What that task is handling.
            task_context: Empty: the bridge passes cancellation on by itself.
            func: Calls its argument.
            args: One `functools.partial` with the function and its arguments.
            kwargs: None.
        """
        __traceback_hide__ = True  # debug pages ask for it
        handling = exc_info[1]
        if handling is None or sys.exception() is handling:
            return func(*args, **kwargs)
        try:
            raise handling
        except BaseException:  # noqa: BLE001  # the caller is handling it
            return func(*args, **kwargs)

    def _cross(
        self, choice: Choice, fn: Callable[..., T]
    ) -> Callable[..., Coroutine[Any, Any, T]]:
        if self._thread_sensitive and self.context is None:
            return choice.bind(fn)
        bind = choice.inside.binder(
            thread_sensitive=self._thread_sensitive,
            executor=self._executor,
            context=self.context,
            abandon_on_cancel=choice.abandons,
        )
        return bind(fn)

    async def _call_handler(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        __traceback_hide__ = True  # debug pages ask for it
        # A partial, and this very one: who patches looks into its keywords.
        child = partial(self.func, *args, **kwargs)
        handler: Callable[..., R] = self.thread_handler
        loop, exc_info = get_running_loop(), sys.exc_info()
        crossing = self._cross(DEFAULT.choose(), handler)
        return await crossing(loop, exc_info, list[Any](), _run, child)


_THREAD_HANDLER: Final[object] = SyncToAsync.__dict__["thread_handler"]
_OWN_THREAD: Final[object] = SyncToAsync.single_thread_executor


def _replacement() -> Executor | None:
    executor = SyncToAsync.single_thread_executor
    return None if executor is _OWN_THREAD else executor


DEFAULT.replacement = _replacement


def _run(child: Callable[[], T]) -> T:
    return child()


def _dress(wrapper: "SyncToAsync[..., Any]", func: Callable[..., Any]) -> None:
    """Give *wrapper* the name, the documentation and the attributes of *func*."""
    if type(func) not in _PLAIN or type(wrapper) is not SyncToAsync:
        update_wrapper(wrapper, func)
        return
    # functools.update_wrapper, for what has all that it looks for, and into a
    # class that has no descriptors of these names: twice as fast.
    namespace = wrapper.__dict__
    for name in WRAPPER_ASSIGNMENTS:
        namespace[name] = getattr(func, name)
    namespace.update(func.__dict__)
    namespace["__wrapped__"] = func


_PLAIN: Final[frozenset[type]] = frozenset({FunctionType, MethodType})


def _check_is_sync(func: object) -> None:
    if not callable(func) or is_async(func):
        msg = "sync_to_async can only be applied to sync functions."
        raise TypeError(msg)
