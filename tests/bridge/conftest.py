"""A bridge for each test."""

from collections.abc import Iterator

import pytest

from asgibridge import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """A bridge with the defaults, closed in the end."""
    with Bridge() as bridge:
        yield bridge
