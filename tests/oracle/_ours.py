"""asgibridge as a subject."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from contextvars import Context
from typing import Any, final

import attrs

from asgibridge import Bridge
from asgibridge.executors import (
    CurrentThreadExecutor,
    InThreadLoopRunner,
    PerCallLoopRunner,
    ThreadSensitivePool,
    WorkerPool,
)
from asgibridge.types import BlockingExecutor, CallerExecutor, Crossing, LoopRunner
from tests.oracle._model import AsyncCallable, Options, Report, Subject

__all__ = ("OurSubject", "make_bridge", "open_ours")


@final
@attrs.frozen
class OurSubject:
    bridge: Bridge

    @contextmanager
    def configured(self, options: Options, /) -> Iterator[Subject]:
        with open_ours(options) as subject:
            yield subject

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
        return self.bridge.sync_to_async(
            fn,
            thread_sensitive=thread_sensitive,
            executor=executor,
            context=context,
            abandon_on_cancel=abandon_on_cancel,
        )

    def async_to_sync(
        self,
        fn: AsyncCallable,
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> Callable[..., Any]:
        return self.bridge.async_to_sync(
            fn, force_new_loop=force_new_loop, helper_loop=helper_loop
        )

    def caller_executor(self) -> CallerExecutor:
        return CurrentThreadExecutor()

    def thread_sensitive_context(
        self, *, executor: Executor | None = None
    ) -> AbstractAsyncContextManager[object]:
        return self.bridge.thread_sensitive_context(executor=executor)


@final
@attrs.frozen
class _StuckObserver:
    """Hands on what is said about calls that wait."""

    report: Report

    def queued(self, crossing: Crossing, /) -> None: ...

    def started(self, crossing: Crossing, /) -> None: ...

    def finished(self, crossing: Crossing, /) -> None: ...

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        self.report(f"{crossing.function} waits since {seconds} s behind {behind}")


def make_bridge(options: Options, closing: ExitStack | None = None) -> Bridge:
    """Return a bridge configured by *options*.

    Args:
        options: What was asked for.
        closing: Closes the bridge and its parts; None leaves that undone.
    """
    parts = ExitStack() if closing is None else closing
    observers = [] if options.stuck is None else [_StuckObserver(options.stuck)]
    bridge = Bridge(
        thread_sensitive=_sensitive(options, parts),
        workers=_workers(options, parts),
        runner=_runner(options, parts),
        context="share" if options.lending else "copy",
        observers=observers,
        stuck_after=options.stuck_after or 10.0,
    )
    return parts.enter_context(bridge)


def _sensitive(options: Options, parts: ExitStack) -> BlockingExecutor | None:
    if options.most_threads is None:
        return options.sensitive
    return parts.enter_context(ThreadSensitivePool(max_workers=options.most_threads))


def _workers(options: Options, parts: ExitStack) -> BlockingExecutor | None:
    if options.pool_threads is None:
        return None
    return parts.enter_context(WorkerPool(max_workers=options.pool_threads))


def _runner(options: Options, parts: ExitStack) -> LoopRunner | None:
    if options.in_thread:
        return parts.enter_context(
            InThreadLoopRunner(loop_factory=options.loop_factory)
        )
    if options.loop_factory is not None:
        return parts.enter_context(PerCallLoopRunner(loop_factory=options.loop_factory))
    return None


@contextmanager
def open_ours(options: Options) -> Iterator[Subject]:
    """Provide a bridge of its own, and close it."""
    with ExitStack() as closing:
        yield OurSubject(make_bridge(options, closing))
