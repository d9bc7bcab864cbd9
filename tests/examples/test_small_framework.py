"""A framework with a bridge per application: apart, and cleanly ended."""

import threading

import pytest

from asgibridge.errors import BridgeClosedError, ExecutorClosedError
from asgibridge.executors import WorkerPool
from asgibridge.testing.transport import ClientFactory
from examples.small_framework import Application


def thread_name() -> str:
    """Return where a view runs."""
    return threading.current_thread().name


def get(clients: ClientFactory, app: Application, path: str) -> tuple[int, str]:
    """Start the application, ask once, and stop it."""
    with clients.blocking(app) as client:
        response = client.get(path)
    return response.status_code, response.text


def test_two_applications_with_different_executors(asgi_client: ClientFactory) -> None:
    """Each uses its own, in one process and at the same time."""
    with WorkerPool(max_workers=2, name="pool-of-shop") as pool:
        shop, blog = Application("shop", executor=pool), Application("blog")
        for app in (shop, blog):
            app.view("/", thread_name)
        with asgi_client.blocking(shop) as to_shop, asgi_client.blocking(blog) as to:
            assert to_shop.get("/").text.startswith("pool-of-shop")
            assert to.get("/").text.startswith("blog-sensitive")
        # The pool belongs to the test: the application has not closed it.
        assert pool.submit(thread_name).result().startswith("pool-of-shop")


def test_shutdown_ends_the_bridge(asgi_client: ClientFactory) -> None:
    """And its threads: the fixture would report one that is left."""
    app = Application("shop")
    app.view("/", thread_name)
    assert get(asgi_client, app, "/")[0] == 200
    assert not [t for t in threading.enumerate() if t.name.startswith("shop")]

    async def view() -> str:
        return await app.bridge.sync_to_async(thread_name)()

    with pytest.raises((BridgeClosedError, ExecutorClosedError)):
        app.bridge.async_to_sync(view)()


def test_async_views_and_pages_that_are_not_there(asgi_client: ClientFactory) -> None:
    """An async view runs on the server's loop; the rest is 404."""
    app = Application("shop")

    async def view() -> str:
        return "async"

    app.async_view("/async", view)
    with asgi_client.blocking(app) as client:
        assert client.get("/async").text == "async"
        assert client.get("/nothing").status_code == 404


def test_a_blocking_view_is_not_taken_for_async() -> None:
    """It would block the loop of everybody."""
    with pytest.raises(TypeError, match="use view"):
        Application("shop").async_view("/", thread_name)  # type: ignore[arg-type]  # the point
