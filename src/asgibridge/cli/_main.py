"""The group of commands, each loaded when it is asked for.

A command lives in the sibling module ``_NAME`` as the click command ``NAME``
and imports what it needs at its top.  To add one, add a line to `COMMANDS`.
"""

import importlib
from collections.abc import Mapping
from typing import Final

import click

from ._errors import CommandError

__all__ = ("COMMANDS", "CommandLine", "cli")

COMMANDS: Final[Mapping[str, str]] = {
    "check": "demo",
    "demo": "demo",
    "serve": "demo",
    "worker": "demo",
}
"""Name of each command, and the extra that installs what it imports."""


class CommandLine(click.Group):
    """A group whose commands are imported one by one.

    ``asgibridge serve`` must not pay for, nor fail without, what only
    ``asgibridge demo`` needs.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, or one that says which extra it needs."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"._{cmd_name}", __package__)
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.partition(".")[0] == "asgibridge":
                raise
            return _unavailable(cmd_name, needs=exc.name, extra=COMMANDS[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command


def _unavailable(name: str, *, needs: str, extra: str) -> click.Command:
    """Stand in for a command whose packages are not installed."""
    remedy = f"pip install 'asgibridge[{extra}]'"

    def refuse() -> None:
        msg = f"{name} needs {needs}; install it with: {remedy}"
        raise CommandError(msg)

    return click.Command(
        name,
        callback=refuse,
        short_help=f"(needs {needs}: {remedy})",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=CommandLine)
@click.version_option(package_name="asgibridge")
def cli() -> None:
    """The bridge between blocking and async Python, on the command line."""
