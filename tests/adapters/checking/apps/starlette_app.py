"""A correct Starlette application, with a bit of everything."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


async def home(request: Request) -> PlainTextResponse:
    """Answer with the body."""
    return PlainTextResponse(await request.body())


async def stream(request: Request) -> StreamingResponse:
    """Read a stream and answer with one."""
    async for _ in request.stream():
        pass

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"chunk"

    return StreamingResponse(chunks())


async def echo(websocket: WebSocket) -> None:
    """Echo text and bytes."""
    await websocket.accept(subprotocol="chat", headers=[(b"x-a", b"b")])
    while (event := await websocket.receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await websocket.send_text(event["text"])
        else:
            await websocket.send_bytes(event["bytes"])


async def deny(websocket: WebSocket) -> None:
    """Refuse with a response, or without one."""
    await websocket.receive()
    if websocket.scope["extensions"]:
        await websocket.send_denial_response(PlainTextResponse("no", status_code=401))
    else:
        await websocket.close()


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, int]]:
    """Give out some state."""
    yield {"answer": 42}


app = Starlette(
    routes=[
        Route("/", home, methods=["GET", "POST"]),
        Route("/stream", stream, methods=["GET", "POST"]),
        WebSocketRoute("/", echo),
        WebSocketRoute("/stream", deny),
    ],
    middleware=[Middleware(GZipMiddleware, minimum_size=1)],
    lifespan=lifespan,
)
