"""k: sync→async while another thread computes and wants the interpreter lock."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .._batches import blocking, nothing_async
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Mode, Scenario, Target
from ..libraries import ASGIREF, ASYNCIO_RUN, IN_THREAD, OURS, RUNNER, ToSync

__all__ = ("SCENARIOS",)


@contextmanager
def _busy_thread() -> Iterator[None]:
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(n * n for n in range(1000))

    thread = threading.Thread(target=compute, name="bench-busy")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beside(toolkit: ToSync, host: Host) -> Batch:
    del host
    undisturbed = blocking(toolkit.async_to_sync(nothing_async))

    def batch(count: int) -> float:
        with _busy_thread():
            return undisturbed(count)

    return batch


_MODES: Final[tuple[Mode, ...]] = ("pin", "split", "free")

SCENARIOS = (
    Scenario(
        "k",
        "sync→async without a loop, beside a CPU-bound thread",
        contend((OURS, IN_THREAD, ASGIREF, ASYNCIO_RUN, RUNNER), _beside),
        (
            Target("asgibridge", 50, modes=_MODES),
            Target("asgibridge, in thread", 50, modes=_MODES),
        ),
        # The interpreter changes threads every 5 ms: a round must outlast that
        # whoever is first.
        count=40,
    ),
)
