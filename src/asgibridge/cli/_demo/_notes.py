"""The async half: an ASGI application on top of blocking sqlite3 code."""

import json
import sqlite3
from collections.abc import Callable
from functools import cached_property
from typing import final

import attrs

from ...bridge import Bridge
from ...types import HTTPReceive, HTTPScope, HTTPSend
from ._gates import Gates, Sign
from ._http import read_body, respond
from ._trace import Trace

__all__ = ("NoteStore", "Notes")


@final
@attrs.define(eq=False)
class NoteStore:
    """Notes in sqlite3, written without a thought for threads or async.

    sqlite3 refuses a connection on any thread but the one that opened it, so
    every method has to be called on the same thread.

    Args:
        trace: Told what runs where.
        gates: Prove that a query that blocks is in nobody's way.
        describe: Puts a number of notes into words.  What it is made of is not
            the store's business; here it is async code.
    """

    _trace: Trace = attrs.field(alias="trace")
    _gates: Gates = attrs.field(alias="gates")
    _describe: Callable[[int], str] = attrs.field(alias="describe")

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE note (text TEXT)")
        connection.create_function("wait_for_ping", 0, self._wait_for_ping)
        return connection

    def close(self) -> None:
        """Disconnect; the notes are gone."""
        self._connection.close()

    def add(self, text: str) -> None:
        """Keep *text*."""
        self._trace.mark("sqlite3 INSERT")
        with self._connection as connection:
            connection.execute("INSERT INTO note VALUES (?)", (text,))

    def texts(self) -> list[str]:
        """Return all notes, in order."""
        self._trace.mark("sqlite3 SELECT")
        rows = self._connection.execute("SELECT text FROM note ORDER BY rowid")
        return [text for (text,) in rows]

    def summary(self) -> str:
        """Return how many notes there are, in words."""
        self._trace.mark("sqlite3 SELECT")
        query = self._connection.execute("SELECT count(*) FROM note")
        (count,) = query.fetchone()
        return self._describe(count)

    def slow(self) -> str:
        """Return what a query says that blocks until a ping was answered."""
        self._trace.mark("sqlite3 slow SELECT")
        (answer,) = self._connection.execute("SELECT wait_for_ping()").fetchone()
        return str(answer)

    def _wait_for_ping(self) -> str:
        self._gates.give(Sign.QUERY_BEGUN)
        self._gates.wait_for(Sign.PING_ANSWERED)
        return "slow, but done"


@final
@attrs.define(eq=False)
class Notes:
    """The ASGI application; everything about the database is a crossing.

    Args:
        bridge: Runs the blocking code.  It is not closed with the application.
        store: The blocking code.
        trace: Told what runs where.
    """

    _bridge: Bridge = attrs.field(alias="bridge")
    _store: NoteStore = attrs.field(alias="store")
    _trace: Trace = attrs.field(alias="trace")

    async def __call__(
        self, scope: HTTPScope, receive: HTTPReceive, send: HTTPSend
    ) -> None:
        """Answer one request."""
        self._trace.mark("async handler")
        match scope["method"], scope["path"]:
            case "POST", "/notes":
                text = (await read_body(receive)).decode()
                # Thread-sensitive is the default: the connection's own thread.
                await self._bridge.sync_to_async(self._store.add)(text)
                await respond(send, 201, "kept")
            case "GET", "/notes":
                texts = await self._bridge.sync_to_async(self._store.texts)()
                await respond(send, 200, json.dumps(texts))
            case "GET", "/notes/summary":
                text = await self._bridge.sync_to_async(self._store.summary)()
                await respond(send, 200, text)
            case "GET", "/notes/slow":
                answer = await self._bridge.sync_to_async(self._store.slow)()
                await respond(send, 200, answer)
            case "GET", "/notes/ping":
                await respond(send, 200, "pong")
            case _:
                await respond(send, 404, "no such page")

    async def close(self) -> None:
        """Close the database, on its own thread."""
        await self._bridge.sync_to_async(self._store.close)()
