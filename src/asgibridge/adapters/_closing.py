"""Ending with a bridge."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..bridge import Bridge

__all__ = ("Finalizer", "call_on_close")

# It takes parameters for type checkers only.  Those who ask for the types of an
# adapter's attributes when it runs get the class.
if TYPE_CHECKING:
    Finalizer: TypeAlias = weakref.finalize[..., Any]
else:
    Finalizer = weakref.finalize


def call_on_close(bridge: Bridge, close: Callable[[], None]) -> None:
    """Have the method *close* called when *bridge* is closed.

    The bridge may live much longer than the adapter, so it does not keep it
    alive.
    """
    reference = weakref.WeakMethod(close)

    def close_if_alive() -> None:
        if (method := reference()) is not None:
            method()

    bridge.call_on_close(close_if_alive)
