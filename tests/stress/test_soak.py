"""A small soak; the large one is ``python -m bench.soak``."""

import pytest

from bench.soak import Sample, growth, main, soak


def test_nothing_grows() -> None:
    """Some thousand crossings of every sort leave nothing behind."""
    samples: list[Sample] = []
    last = soak(5000, samples.append)
    assert len(samples) >= 9
    assert last.crossings >= 5000
    assert growth(samples[1], last) == []


def test_growth_is_seen() -> None:
    """Each of the four figures would be reported."""
    before = Sample(1, bytes=10, objects=10, threads=10, descriptors=10)
    much = 10**8
    after = Sample(2, bytes=much, objects=much, threads=much, descriptors=much)
    assert [line.split(":")[0] for line in growth(before, after)] == [
        "bytes",
        "objects",
        "threads",
        "descriptors",
    ]


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It says how many crossings it made, and its status that nothing grew."""
    assert main(["--crossings", "300"]) in {0, 1}
    assert "crossings in" in capsys.readouterr().out


def test_too_few_crossings(capsys: pytest.CaptureFixture[str]) -> None:
    """A soak has tenths."""
    with pytest.raises(SystemExit):
        main(["--crossings", "3"])
    assert "'3' is not a whole number of at least 10" in capsys.readouterr().err
