"""Driving an application through conversations, with the validator on."""

import asyncio
import time
from typing import Any, Final, final

import attrs

from ...types import ASGIApp
from .._validation import RULES, ASGIValidator, Profile, Violation
from ._deviations import is_excused
from ._peers import LifespanPeer, Peer
from ._report import CheckOutcome, CheckReport
from ._scopes import lifespan_scope
from ._scripts import Script, scripts

__all__ = ("check_app",)

_LIFESPAN: Final = ("lifespan", "startup before, shutdown after all the others")


@final
@attrs.frozen
class _Subject:
    """What all conversations have in common."""

    app: ASGIApp
    profile: Profile
    timeout: float


@final
@attrs.define(eq=False)
class _Run:
    """One running conversation."""

    _subject: _Subject
    _name: str
    _text: str
    _protocol: str
    _peer: Peer
    _must_raise: bool = False
    violations: list[Violation] = attrs.field(factory=list[Violation], init=False)
    _begin: float = attrs.field(factory=time.monotonic, init=False)

    def start(self, scope: dict[str, Any]) -> asyncio.Task[None]:
        """Call the application, in a task of its own."""
        validated = ASGIValidator(
            self._subject.app,
            profile=self._subject.profile,
            report=self.violations.append,
        )
        coroutine = validated(scope, self._peer.receive, self._peer.send)
        return asyncio.create_task(coroutine, name=f"asgibridge-check-{self._name}")

    async def finish(self, task: asyncio.Task[None]) -> CheckOutcome:
        """Wait for the application, end it if it takes too long."""
        seconds = self._subject.timeout
        await asyncio.wait({task}, timeout=seconds)
        is_cut = not task.done()
        raised = None if is_cut else _raised_by(task)
        if is_cut:
            task.cancel()
            # It may do anything now: it has been judged already.
            await asyncio.wait({task}, timeout=seconds)
            _raised_by(task)
        left_undone = (is_cut or self._must_raise) and raised is None
        rule = self._peer.unanswered() if left_undone else None
        if rule is not None:
            self._left_undone(rule, is_cut=is_cut)
        return self._outcome(raised, is_cut=is_cut)

    def _outcome(self, raised: str | None, *, is_cut: bool) -> CheckOutcome:
        app, profile = self._subject.app, self._subject.profile
        excused = [x for x in self.violations if is_excused(x, app, profile)]
        counted = [x for x in self.violations if x not in excused]
        return CheckOutcome(
            self._name,
            self._text,
            tuple(counted),
            raised,
            tuple(excused),
            is_cut,
            time.monotonic() - self._begin,
        )

    def _left_undone(self, name: str, *, is_cut: bool) -> None:
        rule = RULES[name]
        if rule.profile > self._subject.profile:
            return
        did = "did not go on" if is_cut else "returned as if all were well"
        found = f"the application {did}"
        wrong = Violation(rule, "application", self._protocol, found, rule.text)
        self.violations.append(wrong)


def _raised_by(task: asyncio.Task[None]) -> str | None:
    """Return what an application raised, as text; its exceptions are its own."""
    if not task.done() or task.cancelled():
        return None
    exception = task.exception()
    if exception is None:
        return None
    return f"{type(exception).__name__}: {exception}".strip()


async def _play(
    subject: _Subject, script: Script, state: dict[str, Any] | None
) -> CheckOutcome:
    scope = script.scope(state)
    protocol = str(scope["type"])
    peer = script.peer()
    run = _Run(subject, script.name, script.text, protocol, peer, script.must_raise)
    return await run.finish(run.start(scope))


async def check_app(
    app: ASGIApp,
    *,
    target: str = "application",
    path: str = "/",
    profile: Profile = Profile.SPEC,
    timeout: float = 5.0,  # noqa: ASYNC109 - per conversation, not for the call
) -> CheckReport:
    """Drive *app* through conversations and report the rules it breaks.

    Requests with and without body, streamed, HEAD, clients that leave at every
    point, the lifespan, WebSockets that are answered, used, refused and lost,
    and a scope type that nobody handles.  The server's side is played without
    a network; the application runs in the running loop, within its lifespan.

    Args:
        app: The application; it is not owned.
        target: What the report calls it.
        path: The path of all requests.
        profile: How strictly ASGI is taken.
        timeout: The longest time for one conversation, in seconds; then its
            task is cancelled.

    Returns:
        What was found.  What the application raises is noted, not judged.
    """
    subject = _Subject(app, profile, timeout)
    state: dict[str, Any] = {}
    peer = LifespanPeer()
    run = _Run(subject, *_LIFESPAN, "lifespan", peer)
    task = run.start(lifespan_scope(state))
    await asyncio.wait(
        {task, peer.answered}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
    )
    outcomes: list[CheckOutcome] = []
    if not peer.has_failed:
        # Without a lifespan there is no state, and servers leave the key out.
        shared = state if peer.answered.done() else None
        for script in scripts(path):
            outcomes.append(await _play(subject, script, shared))  # noqa: PERF401 - one after the other
    peer.stop()
    outcomes.insert(0, await run.finish(task))
    return CheckReport(target, tuple(outcomes))
