"""The command line: what it chooses, and how it refuses."""

import pytest

from bench._cpus import CpuError, choose_cpus
from bench._main import main
from bench._options import parse


def test_defaults() -> None:
    """Without options: everything, pinned, on asyncio."""
    options = parse([])
    assert (options.mode, options.loop) == ("pin", "asyncio")
    assert len(options.scenarios) > 30
    assert "asgiref" in options.contenders
    assert options.rounds >= 20


def test_only_takes_patterns() -> None:
    """Names and patterns, in one option or several."""
    options = parse(["--only", "a, e*", "--only", "k"])
    assert [it.name for it in options.scenarios][:3] == ["a", "e1", "e2"]
    assert options.scenarios[-1].name == "k"


def test_contenders_are_chosen_by_name() -> None:
    """Semicolons: names have commas in them."""
    options = parse(["--only", "c", "--contenders", "asgibridge*; asgiref"])
    assert set(options.contenders) == {
        "asgibridge",
        "asgibridge, in thread",
        "asgiref",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "no scenario is called 'nothing'; there are: a "),
        (["--contenders", "nobody"], "nobody is called 'nobody' there; there are: "),
        (["--rounds", "0"], "'0' is not a whole number above 0"),
        (["--cpus", "all"], "invalid choice: 'all'"),
        (["--loop", "none"], "invalid choice: 'none'"),
    ],
)
def test_bad_options_end_with_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, what was wrong, and what there is."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list`` prints names and titles, and measures nothing."""
    assert main(["--list", "--only", "a"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["a", "async→sync,"]


def test_split_needs_two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """One CPU cannot be split, and the message says so."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _thread: {0})
    with pytest.raises(CpuError, match="needs two CPUs"):
        choose_cpus("split")


def test_placing_needs_the_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where threads cannot be placed, the error says what to do."""
    monkeypatch.delattr("os.sched_setaffinity")
    assert main(["--only", "a"]) == 2
    assert "use --cpus free" in capsys.readouterr().err
