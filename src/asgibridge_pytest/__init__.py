"""The pytest plugin of asgibridge: fixtures, a marker, a leak check.

It is a package of its own so that pytest, which imports every plugin that is
installed, does not import asgibridge for test suites that do not use it:
everything is imported by the fixture that needs it.
"""

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asgibridge import Bridge
    from asgibridge.testing import TestThread
    from asgibridge.testing.transport import ClientFactory

__all__ = (
    "asgi_client",
    "asgibridge_test_thread",
    "bridge",
    "leak_check",
    "pytest_addoption",
    "pytest_configure",
    "pytest_load_initial_conftests",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to run the tests with asgibridge in the place of asgiref."""
    parser.getgroup("asgibridge").addoption(
        "--asgibridge-as-asgiref",
        action="store_true",
        help="let everything that imports asgiref import asgibridge.compat instead",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Stand in for asgiref before any conftest imports it, if asked to."""
    if early_config.known_args_namespace.asgibridge_as_asgiref:
        from asgibridge.compat import install_as_asgiref

        install_as_asgiref()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "own_thread: thread-sensitive code of the fixture `bridge` runs on the "
        "test's own thread (asgibridge)",
    )


@pytest.fixture
def leak_check() -> Generator[None]:
    """Fail the test if it leaves threads, tasks or event loops behind."""
    from asgibridge.testing import LeakCheck

    check = LeakCheck()
    yield
    if leaks := check.leaks():
        pytest.fail(f"the test leaves behind: {'; '.join(leaks)}", pytrace=False)


@pytest.fixture
def asgibridge_test_thread(request: pytest.FixtureRequest) -> "TestThread":
    """Be what the other fixtures know of the test's own thread."""
    from asgibridge.testing import TestThread

    return TestThread(
        is_own=request.node.get_closest_marker("own_thread") is not None,
        has_loop=inspect.iscoroutinefunction(request.function),
    )


@pytest.fixture
def bridge(
    leak_check: None,
    asgibridge_test_thread: "TestThread",
) -> Generator["Bridge"]:
    """Provide a bridge of the test's own, closed and checked for leaks after it."""
    from asgibridge import Bridge

    with Bridge(thread_sensitive=asgibridge_test_thread.executor) as bridge:
        yield bridge


@pytest.fixture
def asgi_client(
    leak_check: None,
    asgibridge_test_thread: "TestThread",
) -> Generator["ClientFactory"]:
    """Provide httpx clients for ASGI applications, closed after the test.

    ``async with asgi_client(app) as client`` in async tests,
    ``with asgi_client.blocking(app) as client`` in others.
    """
    from asgibridge.testing.transport import ClientFactory

    with ClientFactory(asgibridge_test_thread.caller) as factory:
        yield factory
