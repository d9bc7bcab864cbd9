"""asgiref as a subject: its own options where it has them, else an honest no."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import Context
from typing import Any, cast, final

from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import (
    SyncToAsync,
    ThreadSensitiveContext,
    async_to_sync,
    sync_to_async,
)

from asgibridge.types import CallerExecutor
from tests.oracle._model import AsyncCallable, NotOfferedError, Options, Subject

__all__ = ("Asgiref",)


@final
class Asgiref:
    """asgiref has process-wide state, so `configured` changes that."""

    @contextmanager
    def configured(self, options: Options, /) -> Iterator[Subject]:
        """Do what can be done, by the means its users have found."""
        _refuse("runner in the caller's thread", options.in_thread)
        _refuse("loop factory", options.loop_factory is not None)
        # options.stuck: asgiref reports nothing, and waits all the same.
        _refuse("mode in the caller's own Context", options.lending)
        before = SyncToAsync.single_thread_executor
        if options.sensitive is not None:
            replacement = cast("ThreadPoolExecutor", options.sensitive)
            SyncToAsync.single_thread_executor = replacement
        try:
            yield self
        finally:
            SyncToAsync.single_thread_executor = before

    def sync_to_async(
        self,
        fn: Callable[..., Any],
        /,
        *,
        thread_sensitive: bool = True,
        executor: Executor | None = None,
        context: Context | None = None,
        abandon_on_cancel: bool = False,
    ) -> AsyncCallable:
        """Wrap; a cancelled call is abandoned always, so that asks for nothing."""
        del abandon_on_cancel
        return sync_to_async(
            fn,
            thread_sensitive=thread_sensitive and executor is None,
            executor=cast("ThreadPoolExecutor | None", executor),
            context=context,
        )

    def async_to_sync(
        self,
        fn: AsyncCallable,
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> Callable[..., Any]:
        """Wrap."""
        _refuse("helper loop", helper_loop)
        return async_to_sync(fn, force_new_loop=force_new_loop)

    def caller_executor(self) -> CallerExecutor:
        """Make the executor that asgiref's own callers wait in."""
        # What oracle tests use of the protocol, it has.
        return cast("CallerExecutor", CurrentThreadExecutor(None))

    def thread_sensitive_context(
        self, *, executor: Executor | None = None
    ) -> AbstractAsyncContextManager[object]:
        """Make a context."""
        return ThreadSensitiveContext(executor=executor)


def _refuse(what: str, asked: bool) -> None:  # noqa: FBT001 - private, two words
    if asked:
        msg = f"asgiref has no {what}"
        raise NotOfferedError(msg)
