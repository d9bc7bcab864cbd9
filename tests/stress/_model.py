"""What programs have to do, without threads, loops or a bridge.

A coroutine's body and a blocking one run one after the other here, which is
enough: programs only share what the promises say they share.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, final

import attrs

from tests.stress._logs import Entry, Log
from tests.stress._programs import (
    AsyncBody,
    Background,
    CancelOneself,
    Catch,
    Gather,
    Raise,
    Read,
    Scope,
    Set,
    Spawn,
    SyncBody,
    TimeOut,
    ToAsync,
    ToSync,
    With,
    Withdraw,
)

__all__ = ("Model", "Place")


# What comes out of operations that stage a race: the same, whoever wins.
_RACES: Final = {TimeOut: "timed out", Withdraw: "cancelled True, ran 0"}


class _Boom(Exception):  # noqa: N818 - the model of one
    pass


class _Cancelled(Exception):  # noqa: N818 - the model of one
    pass


@final
@attrs.define(eq=False)
class Place:
    """A thread that waits, or a context: what code is inside of.

    Args:
        thread: Stands for the thread of calls made here.
        is_frame: Whether it is a thread that waits, which goes before all.
    """

    thread: object
    is_frame: bool
    is_alive: bool = True


@final
@attrs.define(eq=False)
class _Task:
    """How often a task was cancelled."""

    cancellations: int = 0


@final
@attrs.define(eq=False)
class _Call:
    """A blocking call, and the task that waits for it."""

    task: _Task
    is_cancelled: bool = False


@final
@attrs.define
class _Scene:
    """What a piece of code is in.

    Args:
        variables: Those of its context.
        places: Outermost first.
        task: The running task; None in blocking code.
        thread: Stands for the thread of blocking code.
        call: The blocking call that is being run.
        late: What the outermost body of the loop leaves for its end.
    """

    variables: dict[int, int]
    places: tuple[Place, ...]
    task: _Task = attrs.field(factory=_Task)
    thread: object = None
    call: _Call | None = None
    late: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])

    def below(self, **changes: Any) -> "_Scene":  # noqa: ANN401 - hands on
        """Return a scene that has a copy of the context."""
        return attrs.evolve(self, variables=dict(self.variables), **changes)


@final
class Model:
    """Says what comes out of a program.

    Args:
        shared: Stands for the bridge's shared thread.
        hosts: Whether a task runs the coroutines of the blocking calls that it
            waits for; else they have tasks of their own on its loop.
    """

    def __init__(self, shared: object, *, hosts: bool = True) -> None:
        self._shared = shared
        self._hosts = hosts

    def root(
        self, body: AsyncBody, places: tuple[Place, ...], variables: dict[int, int]
    ) -> Log:
        """Return the log of the outermost coroutine of a loop."""
        log: Log = []
        with _swallowed():
            self._at_home(body, log, _Scene(variables, places))
        return log

    def blocking_root(
        self, body: SyncBody, thread: object, variables: dict[int, int]
    ) -> Log:
        """Return the log of blocking code with nothing above it."""
        log: Log = []
        with _swallowed():
            self._block(body, log, _Scene(variables, (), thread=thread))
        return log

    # -- blocking bodies --

    def _block(self, body: SyncBody, log: Log, scene: _Scene) -> None:
        for op in body:
            entry = Entry(type(op).__name__)
            log.append(entry)
            match op:
                case ToAsync():
                    self._to_async(op, entry, scene)
                case With():
                    with _variable(op, scene):
                        self._block(op.body, _branch(entry), scene)  # type: ignore[arg-type] # sync by construction
                case Catch():
                    with _catching(entry):
                        self._block(op.body, _branch(entry), scene)  # type: ignore[arg-type] # sync by construction
                case _:
                    _simple(op, entry, scene)

    def _to_async(self, op: ToAsync, entry: Entry, scene: _Scene) -> None:
        call = scene.call
        with _noting(entry):
            if call is not None and call.is_cancelled:
                raise _Cancelled
            frame = Place(scene.thread, is_frame=True)
            is_home = call is None or op.wants_new_loop
            hosted = self._hosts and not is_home
            below = scene.below(
                places=(*scene.places, frame),
                task=call.task if call is not None and hosted else _Task(),
                call=None,
            )
            try:
                if not is_home:
                    self._flow(op.body, _branch(entry), below)
                else:
                    self._at_home(op.body, _branch(entry), below)
            except _Cancelled:
                if call is not None and hosted and call.task.cancellations:
                    call.is_cancelled = True
                raise
            finally:
                frame.is_alive = False
                scene.variables.update(below.variables)

    # -- bodies of coroutines --

    def _at_home(self, body: AsyncBody, log: Log, scene: _Scene) -> None:
        scene.late = []
        try:
            self._flow(body, log, scene)
        finally:
            for late in scene.late:
                late()

    def _flow(self, body: AsyncBody, log: Log, scene: _Scene) -> None:
        for op in body:
            entry = Entry(type(op).__name__)
            log.append(entry)
            match op:
                case With():
                    with _variable(op, scene):
                        self._flow(op.body, _branch(entry), scene)  # type: ignore[arg-type] # async by construction
                case Catch():
                    with _catching(entry):
                        self._flow(op.body, _branch(entry), scene)  # type: ignore[arg-type] # async by construction
                case Scope():
                    self._scope(op, entry, scene)
                case _:
                    self._step(op, entry, scene)

    def _step(self, op: Any, entry: Entry, scene: _Scene) -> None:  # noqa: ANN401 - the rest of AsyncOp
        match op:
            case ToSync():
                self._to_sync(op, entry, scene)
            case Gather():
                entry.inner.append([Entry("branch") for _ in op.bodies])
                for body, branch in zip(op.bodies, entry.inner[0], strict=True):
                    self._task(body, branch, scene)
            case Spawn():
                self._task(op.body, entry, scene)
            case Background():
                later = scene.below()
                scene.late.append(lambda: self._task(op.body, entry, later))
            case CancelOneself():
                scene.task.cancellations += 1
                raise _Cancelled
            case TimeOut() | Withdraw():
                entry.detail = _RACES[type(op)]
            case _:
                _simple(op, entry, scene)

    def _scope(self, op: Scope, entry: Entry, scene: _Scene) -> None:
        place = Place(object(), is_frame=False)
        around, scene.places = scene.places, (*scene.places, place)
        try:
            self._flow(op.body, _branch(entry), scene)
        finally:
            place.is_alive = False
            scene.places = around

    def _task(self, body: AsyncBody, entry: Entry, scene: _Scene) -> None:
        with _swallowed(), _noting(entry):
            self._flow(body, _branch(entry), scene.below(task=_Task()))

    def _to_sync(self, op: ToSync, entry: Entry, scene: _Scene) -> None:
        call = _Call(scene.task)
        entry.thread = self._thread(scene.places) if op.is_sensitive else object()
        below = scene.below(call=call, thread=entry.thread)
        with _noting(entry):
            try:
                self._block(op.body, _branch(entry), below)
            except _Boom:
                if call.is_cancelled:
                    raise _Cancelled from None
                raise
            finally:
                scene.variables.update(below.variables)
            if call.is_cancelled:
                raise _Cancelled

    def _thread(self, places: tuple[Place, ...]) -> object:
        """Return the thread of a thread-sensitive call: promise 1."""
        chosen = self._shared
        for place in reversed(places):
            if place.is_alive:
                chosen = place.thread
                if place.is_frame:
                    break
        return chosen


def _simple(op: object, entry: Entry, scene: _Scene) -> None:
    match op:
        case Set():
            scene.variables[op.variable] = op.value
        case Read():
            entry.detail = scene.variables.get(op.variable, 0)
        case Raise():
            raise _Boom(op.number)
        case _:
            raise AssertionError(op)


@contextmanager
def _variable(op: With, scene: _Scene) -> Iterator[None]:
    before = scene.variables.get(op.variable, 0)
    scene.variables[op.variable] = op.value
    try:
        yield
    finally:
        scene.variables[op.variable] = before


@contextmanager
def _noting(entry: Entry) -> Iterator[None]:
    try:
        yield
    except (_Boom, _Cancelled) as exc:
        entry.detail = _outcome_of(exc)
        raise
    entry.detail = "returned"


@contextmanager
def _catching(entry: Entry) -> Iterator[None]:
    try:
        yield
    except (_Boom, _Cancelled) as exc:
        entry.detail = _outcome_of(exc)


@contextmanager
def _swallowed() -> Iterator[None]:
    try:
        yield
    except (_Boom, _Cancelled):
        return


def _outcome_of(exception: BaseException) -> str:
    if isinstance(exception, _Cancelled):
        return "cancelled"
    return f"raised {exception}"


def _branch(entry: Entry) -> Log:
    inner: Log = []
    entry.inner.append(inner)
    return inner
