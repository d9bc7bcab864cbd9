"""What frameworks do against the text, knowingly and for everybody who uses them.

Nobody who checks an application can change these, so they are noted in the
report and not counted, unless the profile is `STRICT`.
"""

from typing import Final, final

import attrs

from .._validation import Profile, Violation

__all__ = ("is_excused",)


@final
@attrs.frozen
class _Deviation:
    """Applications of *owner* break *rule*, for *reason*."""

    owner: str
    rule: str
    reason: str


_DEVIATIONS: Final = (
    _Deviation(
        "django.core.handlers.asgi.ASGIHandler",
        "resp.headers.lowercase",
        "it keeps the case of names for clients that depend on it; all servers cope",
    ),
)


def _names(app: object) -> set[str]:
    return {f"{cls.__module__}.{cls.__qualname__}" for cls in type(app).__mro__}


def is_excused(violation: Violation, app: object, profile: Profile) -> bool:
    """Whether *violation* is what the framework of *app* does to everybody."""
    if profile is Profile.STRICT:
        return False
    owners = _names(app)
    return any(
        deviation.owner in owners and deviation.rule == violation.rule.name
        for deviation in _DEVIATIONS
    )
