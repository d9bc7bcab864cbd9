"""Blocking and async views, the ORM in both, and a response that is streamed."""

import asyncio
import threading
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models import F
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse

from .models import Item

QUERIES = 10


def sync_view(request: HttpRequest) -> JsonResponse:
    """Answer from a thread."""
    return JsonResponse({"view": "sync", "thread": threading.current_thread().name})


async def async_view(request: HttpRequest) -> JsonResponse:
    """Answer from the event loop."""
    return JsonResponse({"view": "async", "thread": threading.current_thread().name})


def sell(request: HttpRequest, name: str) -> JsonResponse:
    """Change the database in a transaction, from a blocking view."""
    with transaction.atomic():
        item, _ = Item.objects.get_or_create(name=name)
        Item.objects.filter(pk=item.pk).update(stock=F("stock") + 1)
        item.refresh_from_db()
    return JsonResponse({"name": item.name, "stock": item.stock})


async def stock(request: HttpRequest, name: str) -> JsonResponse:
    """Ask the database from an async view, and from one thread each time."""
    item = await Item.objects.filter(name=name).afirst()
    thread = sync_to_async(lambda: (threading.get_ident(), id(connection.connection)))
    seen = {await thread() for _ in range(3)}
    return JsonResponse({"stock": item and item.stock, "threads": len(seen)})


async def queries(request: HttpRequest) -> JsonResponse:
    """Make several queries from an async view, one after the other."""
    counts = [await Item.objects.acount() for _ in range(QUERIES)]
    return JsonResponse({"counts": counts})


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Stream parts that are made by async code."""

    async def parts() -> AsyncIterator[bytes]:
        for number in range(5):
            await asyncio.sleep(0)
            yield f"{number}\n".encode()

    return StreamingHttpResponse(parts(), content_type="text/plain")
