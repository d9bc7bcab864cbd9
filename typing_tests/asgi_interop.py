"""ASGIApp agrees with frameworks, servers and clients, both ways, without casts."""

from typing import Any

import django.core.asgi
import django.core.handlers.asgi
import fastapi
import httpx
import hypercorn.asyncio
import hypercorn.config
import hypercorn.typing
import litestar
import litestar.types
import starlette.applications
import starlette.middleware.gzip
import starlette.routing
import starlette.testclient
import starlette.types
import uvicorn

from asgibridge.adapters import ASGIValidator, http_app
from asgibridge.types import ASGIApp, HTTPReceive, HTTPScope, HTTPSend


def takes_app(app: ASGIApp) -> None:
    """Take an application at a boundary of ours."""


def gives_app() -> ASGIApp:
    """Give out an application at a boundary of ours."""
    raise NotImplementedError


@http_app
async def ours(scope: HTTPScope, receive: HTTPReceive, send: HTTPSend) -> None:
    """Be checked strictly."""


# Theirs to us.
takes_app(starlette.applications.Starlette())
takes_app(starlette.routing.Router())
takes_app(starlette.middleware.gzip.GZipMiddleware(ours))
takes_app(fastapi.FastAPI())
takes_app(litestar.Litestar())
takes_app(django.core.asgi.get_asgi_application())
takes_app(django.core.handlers.asgi.ASGIHandler())
ASGIValidator(starlette.applications.Starlette())
ASGIValidator(fastapi.FastAPI())
ASGIValidator(litestar.Litestar())
ASGIValidator(django.core.handlers.asgi.ASGIHandler())

# Ours to them.
as_starlette: starlette.types.ASGIApp = gives_app()
as_litestar: litestar.types.ASGIApp = gives_app()
as_hypercorn: hypercorn.typing.ASGIFramework = gives_app()
strict_as_starlette: starlette.types.ASGIApp = ours
strict_as_litestar: litestar.types.ASGIApp = ours
checked_as_starlette: starlette.types.ASGIApp = ASGIValidator(ours)
starlette.routing.Mount("/", app=gives_app())
starlette.testclient.TestClient(ASGIValidator(ours))
fastapi.FastAPI().mount("/", ours)
litestar.asgi("/")(ours)
httpx.ASGITransport(app=gives_app())
httpx.ASGITransport(app=ours)
httpx.ASGITransport(app=ASGIValidator(ours))
uvicorn.Config(gives_app())
uvicorn.Config(ours)
uvicorn.Config(ASGIValidator(ours))
uvicorn.run(ASGIValidator(ours))


async def hypercorn_serves() -> None:
    """Serve ours with hypercorn."""
    config = hypercorn.config.Config()
    await hypercorn.asyncio.serve(gives_app(), config)  # pyright: ignore[reportUnknownMemberType] - hypercorn's: `dict` without parameters
    await hypercorn.asyncio.serve(ours, config)  # pyright: ignore[reportUnknownMemberType] - as above
    await hypercorn.asyncio.serve(ASGIValidator(ours), config)  # pyright: ignore[reportUnknownMemberType] - as above


async def hands_on(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - like any middleware
    """Call theirs with what we got."""
    await starlette.applications.Starlette()(scope, receive, send)
    await litestar.Litestar()(scope, receive, send)


takes_app(hands_on)
# What is no application is refused.
takes_app(print)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
takes_app("module:app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
