"""Attributes that follow the code: ``asgiref.local``."""

from typing import TYPE_CHECKING, Any

from ..local import (
    Local as _DefaultLocal,
    ThreadCriticalLocal as _ThreadCriticalLocal,
)

__all__ = ("Local",)


class _LocalType(type):
    """Takes every `asgibridge.local.Local` for an instance of its class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _DefaultLocal)


class Local(metaclass=_LocalType):
    """Makes an `asgibridge.local.Local`, with asgiref's signature.

    Args:
        thread_critical: Keep each value on its thread.
    """

    def __new__(cls, thread_critical: bool = False) -> Any:  # noqa: FBT001, FBT002, ANN401  # asgiref's signature; any attribute
        """Return the new object.

        Raises:
            TypeError: For a subclass; derive from `asgibridge.local.Local`.
        """
        if cls is not Local:
            msg = (
                "asgiref.local.Local cannot be subclassed; "
                "asgibridge.local.Local can be"
            )
            raise TypeError(msg)
        return _ThreadCriticalLocal() if thread_critical else _DefaultLocal()

    if TYPE_CHECKING:

        def __getattr__(self, key: str) -> Any: ...  # noqa: ANN401  # anything
        def __setattr__(self, key: str, value: object) -> None: ...
        def __delattr__(self, key: str) -> None: ...
