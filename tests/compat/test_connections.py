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
def test_they_are_kept_from_request_to_request(tmp_path: Path, path: str) -> None:
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + CONNECTIONS
        + f"""
set_up_with(60)
ask(*["{path}"] * 5)
assert len(opened) == 1, opened
assert opened[0].startswith("asgibridge-sensitive")
print("done")
""",
    )


@pytest.mark.parametrize("path", ["/blocking/", "/asynchronous/"])
def test_they_are_closed_with_the_request(tmp_path: Path, path: str) -> None:
    run(
        tmp_path,
        INSTALL
        + PROJECT
        + CONNECTIONS
        + f"""
set_up_with(0)
ask(*["{path}"] * 5)
assert len(opened) == 5, opened
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
