"""The courses that conversations take: machines, compiled, with their refusals."""

from collections.abc import Mapping
from typing import Final, final

import attrs

from . import _machines as machines, _refusals as refusals
from ._machines import Machine, Table
from ._profiles import Profile
from ._refusals import Refusal

__all__ = ("COURSES", "Course")


def _send_table(course: "Course") -> Table:
    return course.sending.table(course.profile)


def _receive_table(course: "Course") -> Table:
    return course.receiving.table(course.profile)


def _is_joint(course: "Course") -> bool:
    return course.sending is course.receiving


@final
@attrs.frozen(eq=False)
class Course:
    """How a conversation of one protocol may go, by one profile.

    Args:
        sending: The state machine of what the application sends.
        receiving: The one of what it receives; may be the same.
        send_refusals: Why events are wrong that it sends.
        receive_refusals: Why events are wrong that it receives.
        unfinished: What is wrong with returning, by state.
        profile: Whose transitions the tables have.
    """

    sending: Machine
    receiving: Machine
    send_refusals: tuple[Refusal, ...]
    receive_refusals: tuple[Refusal, ...]
    unfinished: Mapping[str, str]
    profile: Profile
    send_table: Table = attrs.field(
        init=False,
        default=attrs.Factory(_send_table, takes_self=True),
    )
    receive_table: Table = attrs.field(
        init=False,
        default=attrs.Factory(_receive_table, takes_self=True),
    )
    is_joint: bool = attrs.field(
        init=False, default=attrs.Factory(_is_joint, takes_self=True)
    )


def _courses_by(profile: Profile) -> dict[tuple[str, Profile], Course]:
    http = Course(
        machines.HTTP_SEND,
        machines.HTTP_RECEIVE,
        refusals.HTTP_SEND_REFUSALS,
        refusals.HTTP_RECEIVE_REFUSALS,
        refusals.HTTP_UNFINISHED,
        profile,
    )
    websocket = Course(
        machines.WEBSOCKET,
        machines.WEBSOCKET,
        refusals.WEBSOCKET_REFUSALS,
        refusals.WEBSOCKET_REFUSALS,
        refusals.WEBSOCKET_UNFINISHED,
        profile,
    )
    lifespan = Course(
        machines.LIFESPAN,
        machines.LIFESPAN,
        refusals.LIFESPAN_REFUSALS,
        refusals.LIFESPAN_REFUSALS,
        refusals.LIFESPAN_UNFINISHED,
        profile,
    )
    return {
        ("http", profile): http,
        ("websocket", profile): websocket,
        ("lifespan", profile): lifespan,
    }


COURSES: Final[Mapping[tuple[str, Profile], Course]] = {
    key: course for profile in Profile for key, course in _courses_by(profile).items()
}
"""All courses; compiled once, because conversations are many and short."""
