"""The blocking half: a Flask application, as one finds them."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from flask import Flask, Response, request

from ...bridge import Bridge
from ._gates import Gates, Sign
from ._payload import CHUNK_BYTES, chunks
from ._trace import Trace

__all__ = ("make_flask_application",)


def make_flask_application(bridge: Bridge, trace: Trace, gates: Gates) -> Flask:
    """Return the application; only ``/async`` knows of a bridge at all.

    Args:
        bridge: Makes async code callable.  It is not closed with the application.
        trace: Told what runs where.
        gates: Prove that requests overlap and bodies are streamed.
    """
    app = Flask("asgibridge_demo")
    double = bridge.async_to_sync(_doubler(trace))

    @app.get("/hello")
    def hello() -> str:
        trace.mark("Flask view")
        return f"Hello, {request.args['name']}!"

    @app.get("/async")
    def call_async() -> str:
        trace.mark("Flask view")
        return str(double(int(request.args["n"])))

    @app.get("/meet")
    def meet() -> str:
        trace.mark("Flask view")
        gates.meet()
        return "met"

    @app.get("/download")
    def download() -> Response:
        trace.mark("Flask view")
        response = Response(_body(trace, gates), mimetype="application/octet-stream")
        response.call_on_close(lambda: trace.mark("close()"))
        return response

    @app.post("/upload")
    def upload() -> str:
        trace.mark("Flask view")
        digest = hashlib.sha256()
        while block := request.stream.read(CHUNK_BYTES):
            trace.mark("request body")
            digest.update(block)
            gates.give(Sign.UPLOAD_BEGUN)
        return digest.hexdigest()

    return app


def _body(trace: Trace, gates: Gates) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks()):
        if number == 1:
            gates.wait_for(Sign.DOWNLOAD_BEGUN)
        trace.mark("response body")
        yield chunk


def _doubler(trace: Trace) -> Callable[[int], Coroutine[Any, Any, int]]:
    async def double(n: int) -> int:
        trace.mark("coroutine")
        await asyncio.sleep(0)
        return 2 * n

    return double
