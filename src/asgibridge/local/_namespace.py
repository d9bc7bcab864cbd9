"""What ``vars()`` of a `Local` is."""

from collections.abc import Iterator, MutableMapping
from typing import Any, final

from ._stores import NOTHING, Store, Values

__all__ = ("Namespace",)


@final
class Namespace(MutableMapping[str, Any]):
    """The values of a `Local`, as a mapping: those of whoever looks.

    A live view, as the ``__dict__`` of an ordinary object is: what is written
    to it is set on the `Local`, in the current context.
    """

    __slots__ = ("_local", "_store")

    def __init__(self, local: object, store: Store) -> None:
        self._local = local  # keeps it, and so its values, alive
        self._store = store

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # any attribute
        """Return the value of *name*, or raise `KeyError`."""
        return self._store.get(NOTHING)[name]

    def __setitem__(self, name: str, value: object) -> None:
        """Set *name*, past any property of that name."""
        self._store.set({**self._store.get(NOTHING), name: value})

    def __delitem__(self, name: str) -> None:
        """Delete *name*, or raise `KeyError`."""
        values: Values = self._store.get(NOTHING).copy()
        del values[name]
        self._store.set(values or NOTHING)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names set when the iteration starts."""
        return iter(self._store.get(NOTHING))

    def __len__(self) -> int:
        """Return how many values are set."""
        return len(self._store.get(NOTHING))

    def __repr__(self) -> str:
        """Show the values as a dict does."""
        return repr(dict(self._store.get(NOTHING)))
