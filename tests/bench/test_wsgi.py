"""The benchmarks of the adapters run, with every contender.  Nothing is timed."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench._model import Scenario
from bench.wsgi_scenarios import ALL
from bench.wsgi_servers import CONTENDERS, open_server

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own module, our own words
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the tables and the plot of one round of everything."""
    folder = tmp_path_factory.mktemp("bench")
    done = run(
        "bench.wsgi",
        *("--cpus", "free", "--rounds", "1", "--seconds", "0"),
        *("--markdown", str(folder / "wsgi.md"), "--plot", str(folder / "wsgi.svg")),
        path=os.environ["PATH"],
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("scenario", ALL, ids=lambda it: it.name)
def test_every_contender_does_the_job(scenario: Scenario, written: Path) -> None:
    """Each has a row with a figure, in the section of the scenario."""
    tables = (written / "wsgi.md").read_text(encoding="utf-8")
    _, _, rest = tables.partition(f"## {scenario.name}: {scenario.title}\n")
    section, _, _ = rest.partition("\n## ")
    for contender in scenario.contenders:
        (row,) = (
            line for line in section.splitlines() if f"| {contender.name} |" in line
        )
        assert float(row.split("|")[2].strip().replace(",", "")) > 0


def test_the_plot_names_everybody(written: Path) -> None:
    """It is text, so that it can be searched, on no background of its own."""
    tree = ET.parse(written / "wsgi.svg")  # noqa: S314 - our own file
    texts = {element.text for element in tree.iter() if element.text}
    assert {"asgibridge", "asgiref", "a2wsgi", "uvicorn"} <= texts
    assert "ffffff" not in (written / "wsgi.svg").read_text(encoding="utf-8")


def test_without_wrk_there_is_a_message_and_no_traceback(tmp_path: Path) -> None:
    """It says what to install."""
    done = run("bench.wsgi_wrk", path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.endswith("install the package wrk\n")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("contender", CONTENDERS)
def test_every_server_serves(contender: str) -> None:
    """What wrk is to ask is there, and gone afterwards."""
    with (
        open_server(contender, "sleepy", "asyncio") as server,
        urllib.request.urlopen(server.url, timeout=60) as answer,  # noqa: S310 - our own
    ):
        assert answer.read() == b"Hello, world"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.url, timeout=60)  # noqa: S310 - our own
