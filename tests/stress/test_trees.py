"""Random programs do what the model says, on one bridge that goes on living.

``ASGIBRIDGE_STRESS_EXAMPLES`` sets how many runs of the state machine are made;
the default is for every day, ``docs/design/proof.md`` has figures for a night.
"""

import asyncio
import contextvars
import os
import threading
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, Final, TypeAlias, get_args

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asgibridge import Bridge
from asgibridge.bridge import ContextMode
from asgibridge.executors import InThreadLoopRunner, PerCallLoopRunner
from tests.stress._interpreter import STRESS_VARIABLES, Interpreter
from tests.stress._logs import Log, difference
from tests.stress._model import Model, Place
from tests.stress._programs import (
    VARIABLES,
    AsyncBody,
    SyncBody,
    async_bodies,
    sync_bodies,
)

_EXAMPLES: Final = int(os.environ.get("ASGIBRIDGE_STRESS_EXAMPLES", "15"))
_DEPTH: Final = 4
_MOST_THREADS: Final = 60
_NAME: Final = "stress-bridge"


_MakeRunner: TypeAlias = type[PerCallLoopRunner] | type[InThreadLoopRunner]


class Crossings(RuleBasedStateMachine):
    """One bridge, one loop, one context; and programs of all sorts on them."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: dict[object, int] = {"main": threading.get_ident()}
        self.context: Context = copy_context()
        self.variables: dict[int, int] = {}
        self.scopes: list[tuple[Any, Place]] = []
        self.unexpected: list[dict[str, Any]] = []
        self.runner = asyncio.Runner()
        self.runner.get_loop().set_exception_handler(
            lambda _loop, context: self.unexpected.append(context)
        )
        self._open(PerCallLoopRunner, "copy")

    def _open(self, make_runner: _MakeRunner, context: ContextMode) -> None:
        self.bridge_runner = make_runner(name=f"{_NAME}-loop")
        self.bridge = Bridge(name=_NAME, runner=self.bridge_runner, context=context)
        self.shared = object()
        self.model = Model(self.shared, hosts=context == "copy")
        self.interpreter = Interpreter(self.bridge)

    # -- programs --

    @rule(body=async_bodies(_DEPTH))
    def run_coroutine(self, body: AsyncBody) -> None:
        """On the loop that stays, in the context that stays."""
        actual = self._run(self.interpreter.root(body))
        places = tuple(place for _, place in self.scopes)
        self._compare(self.model.root(body, places, self.variables), actual)

    @rule(body=sync_bodies(_DEPTH))
    def run_blocking(self, body: SyncBody) -> None:
        """On the main thread, with nothing above it."""
        actual = copy_context().run(self.interpreter.blocking_root, body)
        self._compare(self.model.blocking_root(body, "main", {}), actual)

    @rule(bodies=st.lists(sync_bodies(_DEPTH - 1), min_size=2, max_size=3))
    def run_on_threads(self, bodies: list[SyncBody]) -> None:
        """On several threads at once, each with nothing above it."""
        results = [SimpleQueue[tuple[int, Log]]() for _ in bodies]

        def work(body: SyncBody, result: SimpleQueue[tuple[int, Log]]) -> None:
            result.put((threading.get_ident(), self.interpreter.blocking_root(body)))

        started = [
            threading.Thread(target=work, args=pair)
            for pair in zip(bodies, results, strict=True)
        ]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        for body, result in zip(bodies, results, strict=True):
            here = object()
            self.threads[here], actual = result.get_nowait()
            self._compare(self.model.blocking_root(body, here, {}), actual)

    # -- what programs find when they begin --

    @rule(variable=st.integers(0, VARIABLES - 1), value=st.integers(1, 99))
    def set_variable(self, variable: int, value: int) -> None:
        """In the context that stays."""
        self.context.run(STRESS_VARIABLES[variable].set, value)
        self.variables[variable] = value

    @precondition(lambda self: len(self.scopes) < 3)
    @rule()
    def enter_scope(self) -> None:
        """Around all programs on the loop that follow."""
        scope = self.bridge.thread_sensitive_context()
        self._run(scope.__aenter__())
        self.scopes.append((scope, Place(object(), is_frame=False)))

    @precondition(lambda self: self.scopes)
    @rule()
    def leave_scope(self) -> None:
        """The innermost one."""
        scope, place = self.scopes.pop()
        self._run(scope.__aexit__(None, None, None))
        place.is_alive = False

    @precondition(lambda self: not self.scopes)
    @rule(
        make_runner=st.sampled_from([PerCallLoopRunner, InThreadLoopRunner]),
        context=st.sampled_from(get_args(ContextMode)),
    )
    def replace_bridge(self, make_runner: _MakeRunner, context: ContextMode) -> None:
        """Close the bridge and go on with another, configured otherwise."""
        self._close()
        self._open(make_runner, context)

    # -- what always holds --

    @invariant()
    def threads_are_few(self) -> None:
        """Idle threads are reused."""
        assert len(self._own_threads()) <= _MOST_THREADS

    @invariant()
    def threads_differ(self) -> None:
        """The shared thread, a scope's and the main thread are different ones."""
        labels = ["main", self.shared]
        if self.scopes:
            labels.append(self.scopes[0][1].thread)  # the outermost one decides
        known = [self.threads[it] for it in labels if it in self.threads]
        assert len(set(known)) == len(known)

    @invariant()
    def nothing_is_left_on_the_loop(self) -> None:
        """No task, and nothing that somebody forgot to look at."""
        assert not asyncio.all_tasks(self.runner.get_loop())
        assert not self.unexpected

    def teardown(self) -> None:
        """End what was made, and see that it has ended."""
        while self.scopes:
            self.leave_scope()
        self._close()
        self.runner.close()

    # -- tools --

    def _run(self, coro: Any) -> Any:  # noqa: ANN401 - whatever it returns
        return self.runner.run(coro, context=self.context)

    def _compare(self, expected: Log, actual: Log) -> None:
        found = difference(expected, actual, self.threads)
        assert found is None, found

    def _close(self) -> None:
        self.bridge.close()
        self.bridge_runner.close()
        assert not self._own_threads()

    def _own_threads(self) -> list[threading.Thread]:
        return [it for it in threading.enumerate() if it.name.startswith(_NAME)]


def test_random_trees() -> None:
    """Every step of every run agrees with the model."""
    run_state_machine_as_test(
        Crossings,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_model_is_not_empty() -> None:
    """The variables of the programs are those of the interpreter."""
    assert len(STRESS_VARIABLES) == VARIABLES
    assert isinstance(STRESS_VARIABLES[0], contextvars.ContextVar)
