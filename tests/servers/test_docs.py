"""The pages of the documentation that need Redis run."""

from pathlib import Path

import pytest

from tests.servers.conftest import RedisServer
from tests.test_docs import NEED_REDIS, run_page


@pytest.mark.parametrize("name", NEED_REDIS)
def test_page(name: str, redis_server: RedisServer, tmp_path: Path) -> None:
    """Pasted one after the other, the blocks do what the page says."""
    run_page(name, tmp_path, REDIS_URL=redis_server.url)


def test_there_is_one() -> None:
    """The page has not lost its mark."""
    assert NEED_REDIS == ["how-to/redis.md"]
