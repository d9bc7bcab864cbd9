"""The Django project in ``examples/django``, under uvicorn, asked over HTTP."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "django"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve the project; yield a client for it."""
    database = tmp_path_factory.mktemp("django") / "db.sqlite3"
    environment = os.environ | {"ASGIBRIDGE_EXAMPLE_DATABASE": str(database)}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--run-syncdb", "-v", "0"],
        cwd=PROJECT,
        env=environment,
        check=True,
        timeout=60,
    )
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "uvicorn", "shop.asgi:application", "--port=0"],
        cwd=PROJECT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if "running on" in line:
                address = line.partition("running on ")[2].split()[0]
                break
        else:
            pytest.fail("uvicorn did not start")
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client
    finally:
        server.terminate()
        server.wait(60)
        server.stderr.close()
    assert server.returncode in (0, -15)


def answer(client: httpx.Client, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["x-sync-middleware"] == "seen"
    assert response.headers["x-async-middleware"] == "seen"
    return response.json()


def test_sync_view(client: httpx.Client) -> None:
    assert answer(client, "/sync/")["thread"].startswith("asgibridge-")


def test_async_view(client: httpx.Client) -> None:
    assert answer(client, "/async/") == {"view": "async", "thread": "MainThread"}


def test_orm_from_both_kinds_of_views(client: httpx.Client) -> None:
    assert answer(client, "/sell/tea/") == {"name": "tea", "stock": 1}
    assert answer(client, "/sell/tea/") == {"name": "tea", "stock": 2}
    assert answer(client, "/stock/tea/") == {"stock": 2, "threads": 1}
    assert answer(client, "/stock/nothing/")["stock"] is None
    assert answer(client, "/queries/")["counts"] == [1] * 10


def test_streaming(client: httpx.Client) -> None:
    with client.stream("GET", "/stream/") as response:
        assert "".join(response.iter_text()) == "0\n1\n2\n3\n4\n"


def test_many_at_once(client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: answer(client, "/queries/"), range(40))
        assert all(len(found["counts"]) == 10 for found in answers)
