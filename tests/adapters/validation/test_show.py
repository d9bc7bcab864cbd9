"""Values in messages."""

from asgibridge.adapters._validation._show import show


def test_values_are_shown_with_their_class() -> None:
    """Short ones as they are."""
    assert show(1) == "1 (int)"
    assert show([b"x"]) == "[b'x'] (list)"


def test_long_values_are_cut() -> None:
    """Containers and text, at any depth."""
    assert show(b"x" * 100) == f"{b'x' * 60!r}... (100 bytes)"
    assert len(show("x" * 10**6)) < 100
    assert len(show([["x" * 100] * 100] * 100)) < 2000


def test_classes_that_pretend_are_shown_by_name() -> None:
    """One that is called "dict" and is none cannot be shown as one."""
    pretender = type("dict", (), {})
    assert show(pretender()) == "<dict object that cannot be shown>"
