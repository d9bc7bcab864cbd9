"""The type-checked application: it runs, and needs no cast and no ignore."""

import re
import sqlite3
from pathlib import Path

import pytest

from asgibridge import Bridge
from examples import typed_app


def test_it_prints_the_oldest_books(capsys: pytest.CaptureFixture[str]) -> None:
    """In order, from a connection that only its own thread may use."""
    typed_app.main()
    assert capsys.readouterr().out == "Emma\nMiddlemarch\n"


def test_the_database_is_closed_after_an_error(bridge: Bridge) -> None:
    """Blocking code that fails does so where async code awaits it."""

    async def put_badly() -> None:
        library = await typed_app.open_library(bridge)
        await library.close()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            await library.put(typed_app.Book("Emma", 1815))

    bridge.async_to_sync(put_badly)()


def test_no_casts_and_no_ignores() -> None:
    """The checkers believe it as it is."""
    source = Path(typed_app.__file__).read_text()
    found = re.findall(r"\bcast\(|type: ?ignore|pyright: ?ignore|\bAny\b", source)
    assert found == []
