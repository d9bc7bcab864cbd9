"""`load_application`: from module:attribute to the object."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from asgibridge.cli._loading import load_application
from asgibridge.errors import ApplicationLoadError, BridgeError


@pytest.fixture(autouse=True)
def imports_undone(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Forget what a test imported, and its folder."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_dotted_module_and_attribute(tmp_path: Path) -> None:
    """Both sides of the colon may be dotted; the folder goes to the front, once."""
    package = tmp_path / "site_package"
    package.mkdir()
    (package / "wsgi.py").write_text("class Site:\n    application = ['it']\n")
    target = "site_package.wsgi:Site.application"
    assert load_application(target, directory=tmp_path) == ["it"]
    assert load_application(target, directory=tmp_path) == ["it"]
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("site", "'site' is not of the form module:attribute; an example"),
        ("site:", "'site:' is not of the form"),
        (":app", "':app' is not of the form"),
        ("", "'' is not of the form"),
        ("site:app:more", "is not of the form"),
        ("site:make()", "is not of the form"),
        ("./site:app", r"\(a module's name has dots, no slashes\)"),
        ("C\\site:app", r"\(a module's name has dots, no slashes\)"),
    ],
)
def test_malformed(tmp_path: Path, target: str, why: str) -> None:
    """What is no module:attribute is said to be none; nothing is imported."""
    with pytest.raises(ApplicationLoadError, match=why) as caught:
        load_application(target, directory=tmp_path)
    assert isinstance(caught.value, BridgeError)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("absent_shop:app", "no module named 'absent_shop'"),
        ("absent_shop.wsgi:app", "no module named 'absent_shop'"),
        ("json.absent:app", "no module named 'json.absent'"),
        ("shop_file.py:app", "'shop_file.py'.*; did you mean 'shop_file'\\?"),
    ],
)
def test_module_is_missing(tmp_path: Path, target: str, why: str) -> None:
    """The part of the name that does not exist is named."""
    (tmp_path / "shop_file.py").write_text("app = 1\n")
    with pytest.raises(ApplicationLoadError, match=why):
        load_application(target, directory=tmp_path)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("\nimport absent_driver\n", "ModuleNotFoundError: No module named 'absent_"),
        ("\nraise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("\nassert False\n", "AssertionError"),
        ("\nraise SystemExit(1)\n", "SystemExit: 1"),
        ("\n1 +\n", "SyntaxError: invalid syntax"),
    ],
)
def test_module_raises(tmp_path: Path, source: str, why: str) -> None:
    """What a module raises is told in one line, with the place."""
    (tmp_path / "faulty_shop.py").write_text(source)
    with pytest.raises(ApplicationLoadError) as caught:
        load_application("faulty_shop:app", directory=tmp_path)
    message = str(caught.value)
    assert message.startswith("importing 'faulty_shop' failed with ")
    assert why in message
    assert message.endswith("faulty_shop.py, line 2)")
    assert "\n" not in message


def test_attribute_is_missing(tmp_path: Path) -> None:
    """The attribute, the module and what may have been meant are named."""
    (tmp_path / "typo_shop.py").write_text("application = []\n")
    with pytest.raises(ApplicationLoadError) as caught:
        load_application("typo_shop:aplication", directory=tmp_path)
    message = str(caught.value)
    assert "no attribute 'aplication' for 'typo_shop:aplication'" in message
    assert str(tmp_path / "typo_shop.py") in message
    assert message.endswith("; did you mean 'application'?")
    with pytest.raises(ApplicationLoadError, match=r"no attribute 'x' .* in \[\]$"):
        load_application("typo_shop:application.x", directory=tmp_path)
