"""A default bridge of each test's own."""

from collections.abc import Generator

import pytest

from asgibridge import Bridge
from asgibridge.compat import configure


@pytest.fixture(autouse=True)
def default(request: pytest.FixtureRequest) -> Generator[Bridge]:
    """Be the default bridge during the test."""
    with Bridge(name="compat") as bridge:
        configure(bridge)
        yield bridge
    configure()
