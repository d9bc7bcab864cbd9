"""A blocking middleware class and an async middleware function."""

from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import async_only_middleware

GetResponse = Callable[[HttpRequest], HttpResponseBase]
AsyncGetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class SyncMiddleware:
    """Blocking only: Django puts crossings around it under ASGI."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Note that it was here."""
        response = self.get_response(request)
        response["X-Sync-Middleware"] = "seen"
        return response


@async_only_middleware
def async_middleware(get_response: AsyncGetResponse) -> AsyncGetResponse:
    """Note that it was here, without a thread."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        response["X-Async-Middleware"] = "seen"
        return response

    return middleware
