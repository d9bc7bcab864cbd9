"""The timeline as a page that needs nothing else."""

import html
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

from ._calls import TimelineCall

__all__ = ("data_of", "html_of")

_ASSETS: Final = files(__name__.rpartition(".")[0]) / "_assets"


def data_of(calls: Iterable[TimelineCall], *, began: float) -> list[dict[str, Any]]:
    """Return the calls as the page's script wants them, times from *began* on."""

    def since(time: float | None) -> float | None:
        return None if time is None else time - began

    return [
        {
            "number": call.number,
            "parent": call.parent,
            "direction": call.direction,
            "name": call.name,
            "caller": call.caller,
            "lane": call.lane,
            "queued": call.queued - began,
            "started": since(call.started),
            "finished": since(call.finished),
            "error": call.error,
            "stuck": call.stuck,
        }
        for call in calls
    ]


def html_of(
    calls: Iterable[TimelineCall],
    *,
    began: float,
    title: str,
    live: Mapping[str, Any] | None = None,
) -> str:
    """Return the page.

    Args:
        calls: What it shows.
        began: Their time that is to be zero.
        title: Of the page.
        live: Where the page gets further calls, and which requests it offers.
    """
    data = {"calls": data_of(calls, began=began), "live": live}
    parts = {
        "@TITLE@": html.escape(title),
        "@CSS@": _asset("page.css"),
        "@JS@": _asset("page.js"),
        # "<" could end the script element, in a function's name or a message.
        "@DATA@": json.dumps(data).replace("<", "\\u003c"),
    }
    page = _asset("page.html")
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
