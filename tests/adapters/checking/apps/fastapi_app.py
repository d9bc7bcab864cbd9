"""A correct FastAPI application."""

from collections.abc import Iterator

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/")
async def home() -> dict[str, int]:
    """Answer with JSON."""
    return {"answer": 42}


@app.post("/")
async def length(request: Request) -> dict[str, int]:
    """Answer with the length of the body."""
    return {"length": len(await request.body())}


@app.get("/stream")
def stream() -> StreamingResponse:
    """Answer with a stream from a thread."""

    def chunks() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingResponse(chunks())


@app.websocket("/")
async def echo(websocket: WebSocket) -> None:
    """Echo text and bytes."""
    await websocket.accept()
    while (event := await websocket.receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await websocket.send_text(event["text"])
        else:
            await websocket.send_bytes(event["bytes"])
