"""A type-checked application: an async service around a blocking database.

mypy and pyright check it, both strict; there is no cast and no ignore in it.
The wrappers keep the parameters and results of what they wrap, so a wrong
argument or a forgotten ``await`` is found before anything runs::

    python -m examples.typed_app
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from typing import Final, final

import attrs

from asgibridge import Bridge

__all__ = ("Book", "Library", "Shelf", "open_library")

_BOOKS: Final = (("Emma", 1815), ("Ulysses", 1922), ("Middlemarch", 1871))


@final
@attrs.frozen
class Book:
    """One row."""

    title: str
    year: int


@final
@attrs.frozen(eq=False)
class Shelf:
    """Blocking: each method belongs on the thread that made the connection."""

    _connection: sqlite3.Connection

    def put(self, book: Book) -> None:
        """Keep a book."""
        with self._connection as connection:
            connection.execute("INSERT INTO book VALUES (?, ?)", attrs.astuple(book))

    def before(self, year: int, *, limit: int = 10) -> list[Book]:
        """Return the oldest books from before *year*."""
        rows = self._connection.execute(
            "SELECT title, year FROM book WHERE year < ? ORDER BY year LIMIT ?",
            (year, limit),
        )
        return [Book(str(title), int(year)) for title, year in rows]

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def open_shelf() -> Shelf:
    """Connect, on the thread that the shelf will belong to."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE book (title TEXT, year INTEGER)")
    return Shelf(connection)


@final
@attrs.frozen(eq=False)
class Library:
    """Async: what the rest of a service sees.

    The types of its fields are those that `Bridge.sync_to_async` gives out.
    """

    put: Callable[[Book], Awaitable[None]]
    before: Callable[[int], Awaitable[Sequence[Book]]]
    close: Callable[[], Awaitable[None]]


async def open_library(bridge: Bridge) -> Library:
    """Open a shelf on the bridge's thread-sensitive thread."""
    shelf = await bridge.sync_to_async(open_shelf)()
    return Library(
        put=bridge.sync_to_async(shelf.put),
        before=bridge.sync_to_async(shelf.before),
        close=bridge.sync_to_async(shelf.close),
    )


async def oldest(bridge: Bridge) -> list[str]:
    """Fill a library from several tasks at once, and ask it."""
    library = await open_library(bridge)
    try:
        await asyncio.gather(*(library.put(Book(*book)) for book in _BOOKS))
        return [book.title for book in await library.before(1900)]
    finally:
        await library.close()


def main() -> None:
    """Blocking code calls the async code, which calls blocking code."""
    with closing(Bridge()) as bridge:
        for title in bridge.async_to_sync(oldest)(bridge):
            print(title)


if __name__ == "__main__":
    main()
