"""Values for the length of a ``with`` block."""

from types import TracebackType
from typing import Any, Final, Generic, TypeVar, final

from ._stores import NOTHING, Store, Values

__all__ = ("Override",)

L = TypeVar("L")

_ABSENT: Final = object()


@final
class Override(Generic[L]):
    """Sets values on entry and puts the old ones back on exit; usable once."""

    __slots__ = ("_before", "_installed", "_local", "_store", "_token", "_values")

    def __init__(self, local: L, values: Values, store: Store) -> None:
        self._local = local
        self._values = values
        self._store = store
        self._before: Values = NOTHING
        self._installed: Values | None = None
        self._token: object = None

    def __enter__(self) -> L:
        """Set the values; return the `Local`.

        Raises:
            RuntimeError: If it was entered before.
        """
        if self._installed is not None:
            msg = f"override({', '.join(self._values)}) of {self._local!r} can be entered once; make another"
            raise RuntimeError(msg)
        self._before = self._store.get(NOTHING)
        self._installed = {**self._before, **self._values}
        self._token = self._store.set(self._installed)
        return self._local

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Put back what the values replaced, and leave the other attributes."""
        token, self._token = self._token, None  # it keeps the context alive
        if self._store.get(None) is self._installed:
            # Nothing was set meanwhile. The token undoes it to the letter: a
            # variable that was not in the context leaves it again.
            try:
                self._store.reset(token)
            except ValueError:  # another context, which inherited the values
                self._store.set(self._before)
            return
        values: dict[str, Any] = self._store.get(NOTHING).copy()
        for name in self._values:
            old = self._before.get(name, _ABSENT)
            if old is _ABSENT:
                values.pop(name, None)
            else:
                values[name] = old
        self._store.set(values or NOTHING)
