"""The console script: reach the commands, or say what is missing."""

import sys

__all__ = ("main",)


def main() -> None:
    """Run the command line on ``sys.argv`` and exit.

    Exits with 2 and one line on stderr if click is not installed.
    """
    try:
        # Not at the top: click belongs to the extra "demo", and the console
        # script is installed without it, too.
        from ._main import cli  # noqa: PLC0415 - see the line above
    except ModuleNotFoundError as exc:
        if exc.name != "click":
            raise
        sys.exit(_without_click())
    cli(prog_name="asgibridge")


def _without_click() -> int:
    """Say how to install the command line; return the exit code."""
    sys.stderr.write(
        "asgibridge: the command line needs click; "
        "install it with: pip install 'asgibridge[demo]'\n"
    )
    return 2
