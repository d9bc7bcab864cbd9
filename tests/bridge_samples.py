"""Functions to look at from outside: of another module, with annotations."""

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

__all__ = ("Greeter", "greet", "greet_async", "marked_async")


def greet(name: str, /, *words: str, loud: bool = False) -> str:
    """Greet somebody."""
    text = " ".join((name, *words))
    return text.upper() if loud else text


async def greet_async(name: str, /, *words: str, loud: bool = False) -> str:
    """Greet somebody, in time."""
    return greet(name, *words, loud=loud)


def marked_async() -> Coroutine[Any, Any, str]:
    """Greet somebody; marked as async."""
    return greet_async("you")


if hasattr(inspect, "markcoroutinefunction"):
    inspect.markcoroutinefunction(marked_async)
else:
    marked_async._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # how it was done before 3.12


class Greeter:
    """Greets, as a method."""

    def greet(self, name: str) -> str:
        """Greet somebody."""
        return greet(name)

    async def greet_async(self, name: str) -> str:
        """Greet somebody, in time."""
        return greet(name)
