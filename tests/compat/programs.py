"""Django projects as programs of their own: for what must be set up first."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ("INSTALL", "PROJECT", "run")

INSTALL: Final = (
    "from asgibridge.compat import install_as_asgiref\ninstall_as_asgiref()\n"
)

# A project with a blocking and an async view, and ask(), which makes a request.
PROJECT: Final = """
import asyncio, threading
import django, httpx
from django.conf import settings

NOTES = []

def set_up(*middleware, apps=(), **options):
    settings.configure(
        SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
        MIDDLEWARE=middleware, INSTALLED_APPS=apps, USE_TZ=True,
        DATABASES={"default": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}},
        **options)
    django.setup()

def blocking(request):
    from django.http import HttpResponse
    NOTES.append((note(), threading.current_thread().name))
    query()
    return HttpResponse("<body>blocking</body>")

async def asynchronous(request):
    from asgiref.sync import async_to_sync, sync_to_async
    from django.http import HttpResponse
    await sync_to_async(query)()
    async def below():
        return note()
    NOTES.append((await sync_to_async(async_to_sync(below))(), None))
    return HttpResponse("<body>asynchronous</body>")

def query():
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("select 1")

def ask(*paths, wrap=lambda application: application):
    from django.core.asgi import get_asgi_application
    async def main():
        transport = httpx.ASGITransport(wrap(get_asgi_application()))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as c:
            return [await c.get(path) for path in paths]
    answers = asyncio.run(main())
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    if NOTES[0][1] is not None:
        assert NOTES[0][1].startswith("asgibridge-sensitive")
    return [answer.text for answer in answers]

def urls():
    from django.urls import path
    return [path("blocking/", blocking), path("asynchronous/", asynchronous)]

def __getattr__(name):
    # Not before Django is set up: agents want to be there first.
    if name == "urlpatterns":
        return urls()
    raise AttributeError(name)
"""


def run(folder: Path, code: str) -> None:
    """Run *code* as a program in *folder*."""
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "NEW_RELIC_LOG": "stderr"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
