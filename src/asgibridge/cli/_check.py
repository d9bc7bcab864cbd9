"""``asgibridge check``: does an application keep to ASGI?"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, cast

import click

from ..adapters import (
    CheckReport,
    Profile,
    check_app,
    report_as_json,
    report_as_junit,
    report_as_text,
)
from ..types import ASGIApp
from ._errors import CommandError, one_line_errors
from ._kinds import application_kind
from ._loading import load_application

__all__ = ("check",)

_FORMS: Final[Mapping[str, Callable[[CheckReport], str]]] = {
    "text": report_as_text,
    "json": report_as_json,
    "junit": report_as_junit,
}
_PROFILES: Final = tuple(profile.name.lower() for profile in Profile)


@click.command()
@click.argument("application", metavar="MODULE:ATTRIBUTE")
@click.option("--json", "form", flag_value="json", help="Print the report as JSON.")
@click.option("--junit", "form", flag_value="junit", help="Print it as JUnit XML.")
@click.option(
    "--profile",
    type=click.Choice(_PROFILES),
    default="spec",
    show_default=True,
    help="How strictly ASGI is taken.",
)
@click.option(
    "--path", default="/", show_default=True, help="The path of all requests."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="The longest time for one conversation, in seconds.",
)
def check(
    *, application: str, form: str | None, profile: str, path: str, timeout: float
) -> None:
    """Check whether an ASGI application keeps to ASGI.

    It is called as a server would call it, without a network, and all that it
    receives and sends is checked.  The exit code is 0 if no rule is broken, 1
    if one is, 2 if the application cannot be loaded.
    """
    if not path.startswith("/"):
        msg = f"--path {path!r} does not start with a slash"
        raise CommandError(msg)
    with one_line_errors():
        loaded = load_application(application, directory=Path.cwd())
        if application_kind(loaded, name=application) == "wsgi":
            msg = f"{application!r} is a WSGI application; only ASGI can be checked"
            raise CommandError(msg)
    report = _run(
        check_app(
            cast("ASGIApp", loaded),  # what `application_kind` found out
            target=application,
            path=path,
            profile=Profile[profile.upper()],
            timeout=timeout,
        )
    )
    click.echo(_FORMS[form or "text"](report))
    sys.exit(0 if report.is_clean else 1)


def _run(checking: Coroutine[Any, Any, CheckReport]) -> CheckReport:
    return asyncio.run(checking)
