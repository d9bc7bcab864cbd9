"""A correct Django application."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY="for tests",  # noqa: S106 - protects nothing
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
)


@csrf_exempt
async def home(request: HttpRequest) -> HttpResponse:
    """Answer with the body."""
    return HttpResponse(request.body)


@csrf_exempt
def sync(request: HttpRequest) -> HttpResponse:
    """Answer from a thread, with a cookie."""
    response = HttpResponse(request.body)
    response.set_cookie("a", "b")
    return response


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    """Answer with a stream."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingHttpResponse(chunks())


urlpatterns = [path("", home), path("sync", sync), path("stream", stream)]
app = get_asgi_application()
