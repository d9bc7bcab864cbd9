"""On which thread a WSGI request runs."""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import final

import attrs

from ..bridge import Bridge, Detacher
from ..executors import WorkerPool
from ..types import BlockingExecutor, WSGIApplication
from ._closing import Finalizer
from ._traffic import Traffic
from ._wsgi_work import WsgiWork

__all__ = ("Dispatcher",)


@final
@attrs.define(eq=False, weakref_slot=True)
class Dispatcher:
    """Starts requests, each on one thread for its whole length.

    Args:
        app: The application; requests go by its name.
        bridge: Runs the requests of a thread-sensitive dispatcher.
        executor: Runs the requests of any other one; it is not closed with the
            dispatcher.  None stands for a `WorkerPool` of its own.
        max_workers: Size of that pool.
        thread_sensitive: Whether all requests run on the bridge's thread-sensitive
            thread.
    """

    _app: WSGIApplication
    _bridge: Bridge
    _executor: BlockingExecutor | None
    _max_workers: int
    _thread_sensitive: bool
    # A deque, because its length can be changed by several threads without a lock.
    queued: deque[None] = attrs.field(factory=deque[None], init=False)
    """One entry for each request that waits for its thread."""
    _run: Callable[[WsgiWork], None] = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    # Guarded by _lock when written:
    _detacher: Detacher = attrs.field(init=False)
    _ending: Finalizer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepare what all requests share; starts no thread."""
        self._run = _runner_of(self._app)
        self._detacher = self._new_detacher()

    @property
    def is_one_by_one(self) -> bool:
        """Whether no two requests run at once."""
        return self._thread_sensitive or (
            self._executor is None and self._max_workers == 1
        )

    def start(self, work: WsgiWork, traffic: Traffic) -> None:
        """Have *work* run; on the loop of *traffic*.

        Raises:
            Exception: What the executor raises; the request does not count then.
        """
        self.queued.append(None)
        traffic.begin(work)
        try:
            if self._thread_sensitive:
                traffic.keep(asyncio.get_running_loop().create_task(self._cross(work)))
            else:
                work.call = self._detacher.start(partial(self._run, work), work.fail)
        except BaseException:
            self.queued.pop()
            traffic.end(work)
            raise

    def close(self) -> None:
        """End the own threads, after the requests that have begun.

        Does not wait.  The dispatcher can be used again afterwards.
        """
        with self._lock:
            ending = self._ending
            self._detacher = self._new_detacher()
        ending()

    def _new_detacher(self) -> Detacher:
        """Return what starts requests: on the given executor, or a pool of our own."""
        pool = WorkerPool(max_workers=self._max_workers, name="asgibridge-wsgi")
        # Also when the adapter is forgotten, so that no idle thread outlives it.
        self._ending = weakref.finalize(self, pool.close, wait=False)
        self._ending.atexit = False
        return self._bridge.detacher(self._executor or pool)

    async def _cross(self, work: WsgiWork) -> None:
        try:
            run = partial(self._run, work)
            await self._bridge.sync_to_async(run, thread_sensitive=True)()
        except BaseException as exc:  # noqa: BLE001 # the request's task raises it
            work.fail(exc)


def _runner_of(app: WSGIApplication) -> Callable[[WsgiWork], None]:
    """Return what runs a request, under the name of *app*: observers show it."""

    def run(work: WsgiWork) -> None:
        work.run()

    named = app if hasattr(app, "__qualname__") else type(app)
    run.__name__ = run.__qualname__ = named.__qualname__
    return run
