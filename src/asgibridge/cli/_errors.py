"""How a command ends when the user got something wrong."""

from collections.abc import Generator
from contextlib import contextmanager

import click

from ..errors import BridgeError

__all__ = ("CommandError", "one_line_errors")


class CommandError(click.ClickException):
    """Ends the command with one line on stderr and exit code 2.

    Unlike `click.UsageError` it does not print the usage as well: the options
    were understood, what they name is wrong.
    """

    exit_code = 2


@contextmanager
def one_line_errors() -> Generator[None]:
    """Turn the library's errors into a `CommandError`; let others through."""
    try:
        yield
    except BridgeError as exc:
        raise CommandError(str(exc)) from exc
