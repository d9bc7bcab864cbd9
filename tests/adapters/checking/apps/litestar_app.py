"""A correct Litestar application."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.response import Stream


@get("/")
async def home() -> dict[str, int]:
    """Answer with JSON."""
    return {"answer": 42}


@post("/")
async def length(request: Request[Any, Any, Any]) -> dict[str, int]:
    """Answer with the length of the body."""
    return {"length": len(await request.body())}


@get("/stream")
async def stream() -> Stream:
    """Answer with a stream."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return Stream(chunks())


@websocket("/")
async def echo(socket: WebSocket[Any, Any, Any]) -> None:
    """Echo what comes, as text."""
    await socket.accept()
    try:
        while True:
            await socket.send_text(str(await socket.receive_data("text")))
    except WebSocketDisconnect:
        return


app = Litestar([home, length, stream, echo])
