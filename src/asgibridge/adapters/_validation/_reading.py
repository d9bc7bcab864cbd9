"""Reading objects of which nothing is certain."""

from collections.abc import ItemsView, Iterable, KeysView, ValuesView
from typing import Any, Final, cast

__all__ = ("as_dict", "items_of", "keys_of", "rereadable")

# Their iterators start anew each time, unlike those of files and generators.
_REREADABLE: Final[tuple[type, ...]] = (
    list,
    tuple,
    set,
    frozenset,
    KeysView,
    ValuesView,
    ItemsView,
)


def as_dict(value: object) -> dict[str, Any] | None:
    """Return *value* itself if it is a dict, whatever its keys may be."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def keys_of(value: dict[str, Any]) -> list[object]:
    """Return the keys, also those that should not be there."""
    # dict.keys and not value.keys: a subclass may have overridden it.
    return list(dict[Any, Any].keys(value))


def items_of(value: dict[str, Any]) -> list[tuple[object, object]]:
    """Return keys and values, also those that should not be there."""
    return list(dict[Any, Any].items(value))


def rereadable(value: object) -> list[object] | None:
    """Return the items if looking at them takes nothing away, else None."""
    if isinstance(value, _REREADABLE):
        return list(cast("Iterable[object]", value))
    return None
