"""Wrappers look like what they wrap."""

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from asgibridge import Bridge
from tests.bridge_samples import Greeter, greet, greet_async, marked_async


@pytest.mark.parametrize("fn", [greet, Greeter().greet, Greeter.greet])
def test_an_async_wrapper(fn: Callable[..., Any], bridge: Bridge) -> None:
    """Name, module, documentation, signature, annotations; and it is async."""
    wrapper = bridge.sync_to_async(fn)
    _looks_like(wrapper, fn)
    assert inspect.iscoroutinefunction(wrapper)
    assert asyncio.iscoroutinefunction(wrapper)


@pytest.mark.parametrize("fn", [greet_async, Greeter().greet_async])
def test_a_blocking_wrapper(fn: Callable[..., Any], bridge: Bridge) -> None:
    """The same; and it is not async."""
    wrapper = bridge.async_to_sync(fn)
    _looks_like(wrapper, fn)
    assert not inspect.iscoroutinefunction(wrapper)
    assert not asyncio.iscoroutinefunction(wrapper)


def _looks_like(wrapper: Callable[..., Any], fn: Callable[..., Any]) -> None:
    names = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")
    for name in names:
        assert getattr(wrapper, name) == getattr(fn, name)
    assert inspect.signature(wrapper) == inspect.signature(fn)
    assert inspect.unwrap(wrapper) == fn


def test_attributes_are_taken_over(bridge: Bridge) -> None:
    """What other decorators stored on a function is on its wrapper."""

    def function() -> None:
        """Do nothing."""

    function.route = "/path"  # type: ignore[attr-defined]  # as frameworks do
    wrapper: Any = bridge.sync_to_async(function)
    assert wrapper.route == "/path"
    assert wrapper.__wrapped__ is function


def test_partials_have_no_name(bridge: Bridge) -> None:
    """What has none gets none of its own making; the signature is right."""
    fn = partial(greet, "you")
    wrapper = bridge.sync_to_async(fn)
    assert inspect.signature(wrapper) == inspect.signature(fn)
    assert wrapper.__doc__ == fn.__doc__


def test_a_blocking_wrapper_is_not_marked_as_async(bridge: Bridge) -> None:
    """The mark of a callable that is async is not taken over: it can cross back."""
    blocking = bridge.async_to_sync(marked_async)
    assert not inspect.iscoroutinefunction(blocking)
    assert not asyncio.iscoroutinefunction(blocking)
    assert inspect.iscoroutinefunction(bridge.sync_to_async(blocking))


def test_descriptors_stay_what_they_are(bridge: Bridge) -> None:
    """A wrapped classmethod is a classmethod, a staticmethod a staticmethod."""
    wrap: Any = bridge.sync_to_async
    function: Any = greet
    assert isinstance(wrap(classmethod(function)), classmethod)
    assert isinstance(wrap(staticmethod(greet)), staticmethod)
