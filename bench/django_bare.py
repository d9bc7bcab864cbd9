"""The least that crossing to a thread can be, for `bench.django`.

A thread is lent to each request; a call is put into its queue, and the loop is
told of the result.  No context variables, no cancellation, no calls back, no
wrapper that anybody could look at: nobody could use it.
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, final

__all__ = ("BareContext", "bare_sync_to_async")


@final
class _Worker:
    """One thread."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self.calls.get()()


_IDLE: Final[list[_Worker]] = []
_WORKER: Final[ContextVar[_Worker]] = ContextVar("worker")


class BareContext:
    """Stands for ThreadSensitiveContext."""

    _token: Token[_Worker]

    async def __aenter__(self) -> None:
        self._token = _WORKER.set(_IDLE.pop() if _IDLE else _Worker())

    async def __aexit__(self, *exc_info: object) -> None:
        _IDLE.append(_WORKER.get())
        _WORKER.reset(self._token)


def bare_sync_to_async(
    func: Callable[..., Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """Stand for sync_to_async: call *func* on the thread of the request."""
    if func is None:
        return partial(bare_sync_to_async, **options)
    blocking = func

    async def call(*args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def run() -> None:
            try:
                result = blocking(*args, **kwargs)
            except BaseException as exc:  # noqa: BLE001  # the task gets it
                loop.call_soon_threadsafe(_end, future.set_exception, future, exc)
            else:
                loop.call_soon_threadsafe(_end, future.set_result, future, result)

        _WORKER.get().calls.put(run)
        return await future

    return call


def _end(
    end: Callable[[Any], None], future: asyncio.Future[Any], outcome: object
) -> None:
    if not future.done():  # wrk has left
        end(outcome)
