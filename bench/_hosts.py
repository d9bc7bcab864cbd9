"""Event loops that asynchronous contenders run on, for as long as a run lasts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias, final

import attrs
import trio

from ._model import Setting

__all__ = ("AsyncFunction", "AsyncioHost", "Host", "HostFactory", "TrioHost")

AsyncFunction: TypeAlias = Callable[[], Awaitable[object]]
HostFactory: TypeAlias = Callable[[Setting], AbstractContextManager["Host"]]


class Host(Protocol):
    """Runs coroutines to their end."""

    def run(self, main: Callable[[], Coroutine[Any, Any, float]], /) -> float:
        """Return what ``main()`` returns."""
        ...

    async def together(self, functions: Sequence[AsyncFunction], /) -> None:
        """Run *functions* as tasks of their own, and wait for all."""
        ...


@final
@attrs.frozen
class AsyncioHost:
    """One asyncio loop, kept between calls."""

    runner: asyncio.Runner

    @classmethod
    @contextmanager
    def open(cls, setting: Setting) -> Iterator[Host]:
        """Provide a host on a new loop, and close it."""
        with asyncio.Runner(loop_factory=setting.new_loop) as runner:
            yield cls(runner)

    def run(self, main: Callable[[], Coroutine[Any, Any, float]], /) -> float:
        """Return what ``main()`` returns."""
        return self.runner.run(main())

    async def together(self, functions: Sequence[AsyncFunction], /) -> None:
        """Run *functions* as tasks of their own, and wait for all."""
        await asyncio.gather(*(function() for function in functions))


@final
@attrs.frozen
class TrioHost:
    """A trio run for each call: trio has no loops that can be kept."""

    @classmethod
    @contextmanager
    def open(cls, setting: Setting) -> Iterator[Host]:
        """Provide a host; trio brings its own loop, whatever the setting."""
        del setting
        yield cls()

    def run(self, main: Callable[[], Coroutine[Any, Any, float]], /) -> float:
        """Return what ``main()`` returns."""
        return trio.run(main)

    async def together(self, functions: Sequence[AsyncFunction], /) -> None:
        """Run *functions* as tasks of their own, and wait for all."""
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)
