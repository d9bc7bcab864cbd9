"""Ending a server the way that operators and service managers ask for."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator

__all__ = ("stop_on_signals",)


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Generator[None, None, None]:
    """Call *stop* on the running loop for each SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    for number in handled:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
