"""The console script, with and without what it needs."""

import sys

import click
import pytest
from click.testing import CliRunner

from asgibridge.cli import main
from asgibridge.cli._errors import one_line_errors
from asgibridge.cli._main import COMMANDS, cli
from asgibridge.errors import AddressError


def _forget(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let modules of the command line be imported anew."""
    for name in names:
        monkeypatch.delitem(sys.modules, f"asgibridge.cli.{name}", raising=False)


def test_without_click(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A base installation answers with one line that says what to install."""
    _forget(monkeypatch, "_main", "_errors")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'asgibridge[demo]'" in err


def test_other_missing_module_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only click is expected to be missing."""
    _forget(monkeypatch, "_main")
    monkeypatch.setitem(sys.modules, "asgibridge.cli._errors", None)
    with pytest.raises(ModuleNotFoundError, match="_errors"):
        main()


def test_main_runs_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The console script is called asgibridge, wherever it lies."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/else", "--version"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("asgibridge, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    """Each line of the table leads to a command, which --help lists."""
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert f"\n  {name} " in result.output
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"Usage: cli {name} " in result.output


def test_unknown_command() -> None:
    """A command that does not exist is click's to report."""
    result = CliRunner().invoke(cli, ["fly"])
    assert result.exit_code == 2
    assert "No such command 'fly'" in result.output


def test_command_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose packages are missing says what to install; help still works."""
    _forget(monkeypatch, "_serve", "_uvicorn")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(cli, ["serve", "shop:app", "--port", "80"])
    assert result.exit_code == 2
    assert result.output == (
        "Error: serve needs uvicorn; install it with: pip install 'asgibridge[demo]'\n"
    )
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert "(needs uvicorn: pip install" in result.output


def test_own_missing_module_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of our own that is missing is not taken for an extra."""
    _forget(monkeypatch, "_serve")
    monkeypatch.setitem(sys.modules, "asgibridge.cli._kinds", None)
    with pytest.raises(ModuleNotFoundError, match="_kinds"):
        CliRunner().invoke(cli, ["serve"], catch_exceptions=False)


def test_library_errors_become_one_line() -> None:
    """An error of the library ends a command without a traceback; a bug does not."""
    with (
        pytest.raises(click.ClickException, match="port 80") as caught,
        one_line_errors(),
    ):
        raise AddressError("cannot listen on port 80")  # noqa: EM101, TRY003 - a test
    assert caught.value.exit_code == 2
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    """Each command, and each of its options, says what it does, in whole lines."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    options = [it for it in command.params if isinstance(it, click.Option)]
    assert options
    assert [it.name for it in options if not it.help] == []
    assert not command.get_short_help_str(limit=60).endswith("...")
