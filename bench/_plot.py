"""All ratios in one picture."""

from collections.abc import Sequence
from pathlib import Path

from ._machine import Machine
from ._rounds import Outcome, best_peer

__all__ = ("write_plot",)

_OURS = "asgibridge"
_OURS_IN_THREAD = "asgibridge, in thread"
_THEIRS = "asgiref"


def write_plot(path: Path, machine: Machine, outcomes: Sequence[Outcome]) -> None:
    """Draw how many times longer asgiref and the best peer take, as an SVG."""
    # Takes half a second to import, which every other run can do without.
    import matplotlib as mpl  # noqa: PLC0415 - see above
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    drawn = [outcome for outcome in outcomes if _is_drawn(outcome)]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "asgibridge"}):
        figure = Figure(figsize=(9, 1.2 + 0.42 * len(drawn)), layout="constrained")
        axes = figure.add_subplot()
        for offset, (label, colour, ratios) in enumerate(_series(drawn)):
            heights = [place + (offset - 1) * 0.27 for place in range(len(drawn))]
            axes.barh(heights, ratios, height=0.25, label=label, color=colour)
        axes.set_yticks(range(len(drawn)), [it.scenario.title for it in drawn])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xlabel("times as long as asgibridge (1: the same)")
        axes.set_title(f"{machine.python}, {machine.loop}, CPUs: {machine.mode}")
        axes.legend(loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _is_drawn(outcome: Outcome) -> bool:
    names = outcome.samples.keys()
    return outcome.scenario.unit == "µs" and {_OURS, _THEIRS} <= names


def _series(outcomes: Sequence[Outcome]) -> list[tuple[str, str, list[float]]]:
    return [
        (
            "asgiref ÷ asgibridge",
            "#4c72b0",
            [it.ratio(_OURS, _THEIRS) or 0.0 for it in outcomes],
        ),
        (
            "asgiref ÷ asgibridge, in thread",
            "#8da9d6",
            [_ratio_if_there(it, _OURS_IN_THREAD, _THEIRS) for it in outcomes],
        ),
        (
            "best peer ÷ asgibridge",
            "#c9a227",
            [_ratio_if_there(it, _OURS, best_peer(it)) for it in outcomes],
        ),
    ]


def _ratio_if_there(outcome: Outcome, name: str, than: str | None) -> float:
    if than is None or name not in outcome.samples:
        return 0.0
    return outcome.ratio(name, than) or 0.0
