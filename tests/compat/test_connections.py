"""Django's database connections, on threads that are lent to requests."""

from pathlib import Path

import pytest

from tests.compat.programs import INSTALL, PROJECT, run

# A connection notes when it is opened; each request makes queries on a thread.
CONNECTIONS = """
opened = []

def note():
    return None

def set_up_with(max_age):
    set_up()
    from django.db import connections
    from django.db.backends.signals import connection_created
    connections["default"].settings_dict["CONN_MAX_AGE"] = max_age
    connection_created.connect(
        lambda **_: opened.append(threading.current_thread().name), weak=False)
"""


@pytest.mark.parametrize("path", ["/blocking/", "/asynchronous/"])
@pytest.mark.parametrize(("max_age", "count"), [(60, 1), (0, 5)])
def test_they_are_kept_as_long_as_the_settings_say(
    tmp_path: Path, path: str, max_age: int, count: int
) -> None:
    """From request to request, since the thread is the same; or for one of them."""
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + CONNECTIONS
        + f"""
set_up_with({max_age})
ask(*["{path}"] * 5)
assert len(opened) == {count}, opened
assert opened[0].startswith("asgibridge-sensitive")
print("done")
""",
    )


def test_old_ones_are_closed_on_the_thread_of_the_request(tmp_path: Path) -> None:
    """By close_old_connections(), which a request calls when it begins and ends."""
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + CONNECTIONS
        + """
set_up_with(60)
ask("/blocking/", "/blocking/")
assert len(opened) == 1, opened

def note():
    from django.db import connection
    connection.ensure_connection()
    connection.close_at = 0  # as if it had been open for long
ask("/blocking/")
assert len(opened) == 1, opened
note = lambda: None
ask("/blocking/")
assert len(opened) == 2, opened
print("done")
""",
    )
