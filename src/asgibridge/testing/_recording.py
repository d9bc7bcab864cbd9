"""An observer that writes down what it is told."""

import threading
from collections.abc import Callable
from typing import Any, Literal, final

import attrs

from ..types import Crossing

__all__ = ("ObservedStep", "RecordingObserver", "Step")

Step = Literal["queued", "started", "finished", "stuck"]
"""The method of `Observer` that was called."""


@final
@attrs.frozen(eq=False)
class ObservedStep:
    """One step of one crossing, as it was at that moment.

    Attributes:
        step: What happened.
        crossing: The crossing it happened to; the same object for all its steps.
        thread: The thread that told of it (`threading.get_ident`).
        result: What the function returned, for ``finished``.
        exception: What the function raised, likewise.
        behind: What is in the way, for ``stuck``.
    """

    step: Step
    crossing: Crossing
    thread: int = attrs.field(factory=threading.get_ident, kw_only=True)
    result: object = attrs.field(default=None, kw_only=True)
    exception: BaseException | None = attrs.field(default=None, kw_only=True)
    behind: str | None = attrs.field(default=None, kw_only=True)

    @property
    def function(self) -> Callable[..., Any]:
        """The user's function."""
        return self.crossing.function


@final
@attrs.define(eq=False)
class RecordingObserver:
    """Writes down every step of every crossing, for tests to look at.

    It keeps the crossings, their results and their exceptions alive until
    `clear`.
    Thread-safe.
    """

    _changed: threading.Condition = attrs.field(
        factory=threading.Condition, init=False, repr=False
    )
    # guarded by _changed
    _steps: list[ObservedStep] = attrs.field(
        factory=list[ObservedStep], init=False, repr=False
    )

    @property
    def steps(self) -> tuple[ObservedStep, ...]:
        """Everything told so far, in order."""
        with self._changed:
            return tuple(self._steps)

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Every crossing told of so far, in order of its first step."""
        return tuple(dict.fromkeys(step.crossing for step in self.steps))

    def steps_of(self, function: Callable[..., Any]) -> tuple[Step, ...]:
        """Return the steps that the calls of *function* took, in order."""
        return tuple(step.step for step in self.steps if step.function == function)

    def wait_for(
        self, step: Step, function: Callable[..., Any], timeout: float = 5.0
    ) -> ObservedStep:
        """Block until a call of *function* has reached *step*; return the first.

        Args:
            step: The step to wait for.
            function: The user's function.
            timeout: Longest time to wait, in seconds: a safety net for tests.

        Raises:
            TimeoutError: If it did not come; the message says what came.
        """

        def find() -> ObservedStep | None:
            return next(
                (s for s in self._steps if s.step == step and s.function == function),
                None,
            )

        with self._changed:
            found = self._changed.wait_for(find, timeout)
        if found is None:
            msg = (
                f"{function!r} was not {step} within {timeout} s; "
                f"its steps so far: {self.steps_of(function)!r}"
            )
            raise TimeoutError(msg)
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._steps.clear()

    def queued(self, crossing: Crossing, /) -> None:
        """Write it down."""
        self._add(ObservedStep("queued", crossing))

    def started(self, crossing: Crossing, /) -> None:
        """Write it down."""
        self._add(ObservedStep("started", crossing))

    def finished(self, crossing: Crossing, /) -> None:
        """Write it down, with the result or the exception."""
        self._add(
            ObservedStep(
                "finished",
                crossing,
                result=crossing.result,
                exception=crossing.exception,
            )
        )

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """Write it down, with what is in the way."""
        del seconds  # how long depends on the machine: nothing to assert
        self._add(ObservedStep("stuck", crossing, behind=behind))

    def _add(self, step: ObservedStep) -> None:
        with self._changed:
            self._steps.append(step)
            self._changed.notify_all()
