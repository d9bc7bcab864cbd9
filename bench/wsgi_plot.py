"""Everybody's speed in one picture, readable on light and on dark pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ._machine import Machine
from ._rounds import Outcome

__all__ = ("write_speeds",)

# As far from white as from black; there is no background of the picture's own.
_INK: Final = "#7f7f7f"
_COLOURS: Final = {
    "asgibridge": "#3b7dd8",
    "asgiref": "#8c8c8c",
    "a2wsgi": "#c9a227",
    "starlette": "#4c9f70",
    "uvicorn": "#b5651d",
    "hypercorn": "#9467bd",
    "waitress": "#2a9d9d",
    "gunicorn": "#d1495b",
}
_WIDTH: Final = 0.85


def write_speeds(
    path: Path, machine: Machine, outcomes: Sequence[Outcome], base: str
) -> None:
    """Draw how many times as fast as *base* each contender is, as an SVG."""
    # Takes half a second to import, which every other run can do without.
    import matplotlib as mpl  # noqa: PLC0415 - see above
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above
    from matplotlib.ticker import StrMethodFormatter  # noqa: PLC0415 - see above

    drawn = [outcome for outcome in outcomes if base in outcome.samples]
    names = [it for it in _COLOURS if any(it in one.samples for one in drawn)]
    height = _WIDTH / len(names)
    with mpl.rc_context(
        {
            "axes.edgecolor": _INK,
            "axes.labelcolor": _INK,
            "svg.fonttype": "none",
            "svg.hashsalt": "asgibridge",
            "text.color": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
        }
    ):
        figure = Figure(
            figsize=(9, 1.2 + 0.18 * len(drawn) * len(names)), layout="constrained"
        )
        axes = figure.add_subplot()
        for number, name in enumerate(names):
            places = [
                (row + (number + 0.5) * height - _WIDTH / 2, ratio)
                for row, outcome in enumerate(drawn)
                if (ratio := _ratio(outcome, name, base)) is not None
            ]
            axes.barh(
                [place for place, _ in places],
                [ratio for _, ratio in places],
                height=height,
                label=name,
                color=_COLOURS[name],
            )
        axes.set_yticks(range(len(drawn)), [it.scenario.title for it in drawn])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.axvline(1, color=_INK, linewidth=0.8)
        axes.set_xlabel(f"times as fast as {base}")
        axes.set_title(f"{machine.python}, {machine.loop}")
        axes.patch.set_alpha(0)
        figure.legend(framealpha=0, loc="outside right upper")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def _ratio(outcome: Outcome, name: str, base: str) -> float | None:
    return outcome.ratio(name, base) if name in outcome.samples else None
