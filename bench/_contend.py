"""Contenders from libraries: one scenario, written once, run on each."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ._hosts import Host
from ._model import Batch, Contender, Setting
from .libraries import Library

__all__ = ("contend",)

K = TypeVar("K")


def contend(
    libraries: Iterable[Library[K]],
    make: Callable[[K, Host], Batch],
    *,
    suffix: str = "",
) -> tuple[Contender, ...]:
    """Return a contender for each library, whose batch is made by *make*.

    Args:
        libraries: Whose toolkits are handed to *make*.
        make: Is given the toolkit and a host for its asynchronous side.
        suffix: Is added to the library's name.
    """
    return tuple(
        Contender(library.name + suffix, library.kind, partial(_open, library, make))
        for library in libraries
    )


@contextmanager
def _open(
    library: Library[K], make: Callable[[K, Host], Batch], setting: Setting
) -> Iterator[Batch]:
    with library.host(setting) as host, library.open(setting) as toolkit:
        yield make(toolkit, host)
