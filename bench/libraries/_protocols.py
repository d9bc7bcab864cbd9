"""What scenarios ask of a library."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import attrs

from .._hosts import HostFactory
from .._model import Kind, Setting

__all__ = (
    "AsyncCallable",
    "ContextToolkit",
    "Library",
    "ToAsync",
    "ToSync",
    "Toolkit",
)

AsyncCallable: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
K_co = TypeVar("K_co", covariant=True)


class ToAsync(Protocol):
    """Makes blocking functions awaitable."""

    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        """Wrap *fn*; thread-sensitive functions share one thread."""
        ...


class ToSync(Protocol):
    """Makes coroutine functions callable from blocking code."""

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        """Wrap *fn*."""
        ...


class Toolkit(ToAsync, ToSync, Protocol):
    """Both directions, aware of each other."""


class ContextToolkit(Toolkit, Protocol):
    """Both directions, and a thread of one's own for a request."""

    def thread_sensitive_context(self) -> AbstractAsyncContextManager[object]:
        """Give thread-sensitive calls within the block their own thread."""
        ...


@attrs.frozen
class Library(Generic[K_co]):
    """A library in its natural use.

    Args:
        name: What the tables call it.
        kind: Ours, asgiref, another peer, or a floor.
        host: Makes the loop that its asynchronous side runs on.
        open: Provides the toolkit, and releases what it holds.
    """

    name: str
    kind: Kind
    host: HostFactory
    open: Callable[[Setting], AbstractContextManager[K_co]]
