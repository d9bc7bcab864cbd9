"""A Django project with Channels, for `test_daphne.py` to serve.

Everything it imports from asgiref is what a project of that kind imports.
"""

import json
import threading
from typing import Any

from asgiref.sync import SyncToAsync, async_to_sync
from channels.db import (  # type: ignore[import-untyped]  # it has no types
    database_sync_to_async,
)
from channels.generic.websocket import (  # type: ignore[import-untyped]  # see above
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from channels.routing import (  # type: ignore[import-untyped]  # see above
    ProtocolTypeRouter,
    URLRouter,
)
from django.core.asgi import get_asgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

ROOM = "room"


def here() -> str:
    """Name the current thread."""
    return threading.current_thread().name


def note(text: str) -> tuple[int, str]:
    """Put *text* into the database; return how many there are, and the thread."""
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists note (text text)")
        cursor.execute("insert into note values (%s)", [text])
        cursor.execute("select count(*) from note")
        return cursor.fetchone()[0], here()


def blocking_view(_: HttpRequest) -> JsonResponse:
    """Answer from a thread, and from the database."""
    count, thread = note("blocking view")
    implementation = SyncToAsync.__module__
    return JsonResponse(
        {"count": count, "thread": thread, "implementation": implementation}
    )


async def async_view(_: HttpRequest) -> JsonResponse:
    """Answer from the loop, with the database on a thread."""
    count, thread = await database_sync_to_async(note)("async view")
    return JsonResponse({"count": count, "thread": thread, "view": here()})


class BlockingConsumer(WebsocketConsumer):  # type: ignore[misc, no-any-unimported]  # Channels has no types
    """Tells the room what it receives; its methods run on threads."""

    def connect(self) -> None:
        """Join the room."""
        async_to_sync(self.channel_layer.group_add)(ROOM, self.channel_name)
        self.accept()

    def disconnect(self, code: int) -> None:
        """Leave the room."""
        async_to_sync(self.channel_layer.group_discard)(ROOM, self.channel_name)

    def receive(self, text_data: str = "", bytes_data: bytes | None = None) -> None:
        """Note the text and tell everybody."""
        count, thread = note(text_data)
        event = {"type": "tell", "said": text_data, "count": count, "thread": thread}
        async_to_sync(self.channel_layer.group_send)(ROOM, event)

    def tell(self, event: dict[str, Any]) -> None:
        """Pass on what somebody said."""
        self.send(text_data=json.dumps(event | {"told_on": here()}))


class AsyncConsumer(AsyncWebsocketConsumer):  # type: ignore[misc, no-any-unimported]  # see above
    """The same, on the loop."""

    async def connect(self) -> None:
        """Join the room."""
        await self.channel_layer.group_add(ROOM, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the room."""
        await self.channel_layer.group_discard(ROOM, self.channel_name)

    async def receive(
        self, text_data: str = "", bytes_data: bytes | None = None
    ) -> None:
        """Note the text on a thread and tell everybody."""
        count, thread = await database_sync_to_async(note)(text_data)
        event = {"type": "tell", "said": text_data, "count": count, "thread": thread}
        await self.channel_layer.group_send(ROOM, event)

    async def tell(self, event: dict[str, Any]) -> None:
        """Pass on what somebody said."""
        await self.send(text_data=json.dumps(event | {"told_on": here()}))


urlpatterns = [path("blocking/", blocking_view), path("async/", async_view)]

application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter(
            [
                path("blocking/", BlockingConsumer.as_asgi()),
                path("async/", AsyncConsumer.as_asgi()),
            ]
        ),
    }
)
