"""The validator between a real server and a real framework finds nothing."""

import asyncio
import socket
from typing import Final

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asgibridge.adapters import ASGIValidator, Profile, Violation
from asgibridge.types import ASGIApp

REQUESTS: Final = (
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("POST", "/?a=%20", 200),
    ("GET", "/stream", 200),
    ("GET", "/missing", 404),
)


class Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Prepare to say so."""
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and say so."""
        await super().startup(sockets)
        self.ready.set()


async def answer(request: Request) -> PlainTextResponse:
    """Answer with the body."""
    return PlainTextResponse(await request.body())


async def stream(_request: Request) -> StreamingResponse:
    """Answer piece by piece."""
    return StreamingResponse(iter([b"a", b"b"]))


async def talk(app: ASGIApp) -> list[int]:
    """Serve *app* for a few requests; return their statuses."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, lifespan="on", log_config=None))
    running = asyncio.create_task(server.serve([listener]))
    await server.ready.wait()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        statuses = [
            (await client.request(method, path)).status_code
            for method, path, _ in REQUESTS
        ]
    server.should_exit = True
    await running
    return statuses


@pytest.mark.parametrize("profile", Profile)
def test_nothing_is_found(profile: Profile) -> None:
    """Neither in the server nor in the framework."""
    found: list[Violation] = []
    app = Starlette(
        routes=[
            Route("/", answer, methods=["GET", "POST"]),
            Route("/stream", stream),
        ]
    )
    validated = ASGIValidator(app, profile=profile, report=found.append)
    assert asyncio.run(talk(validated)) == [status for _, _, status in REQUESTS]
    assert found == []
