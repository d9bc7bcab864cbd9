"""Attributes that are declared with their types: checked, and faster."""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, final

from ._declaring import MISSING, DeclaringType, Variables, peek

__all__ = ("DeclaredLocal", "DeclaredOverride")

D = TypeVar("D")


class DeclaredLocal(metaclass=DeclaringType):
    """A `Local` whose attributes are declared, with their types, in a subclass.

    Type checkers know the attributes and refuse any other, and so does the
    object.  Each attribute has a context variable of its own: reading is almost
    as fast as the variable itself, and writing costs the same however many
    attributes there are.

        >>> class Request(DeclaredLocal):
        ...     user: str
        ...     attempts: int = 0
        >>> request = Request()
        >>> request.user = "ann"
        >>> request.user, request.attempts
        ('ann', 0)
        >>> request.usr
        Traceback (most recent call last):
        AttributeError: 'Request' object has no attribute 'usr'...

    What was said of `Local` holds for who sees which value.  A value given in
    the class is what is read where nothing was set, from every context, so it
    should be immutable.  Where each context needs an object of its own, derive
    from `Local` and make it in ``__init__``.

    When the object dies, it frees the values of the context it dies in; others
    keep theirs until they end.
    """

    __slots__ = ("__weakref__",)

    def __dir__(self) -> list[str]:
        """Return the attributes that can be read here, and those of the class."""
        names = set(dir(type(self))).difference(_variables(self))
        return sorted(n for n in {*names, *_variables(self)} if hasattr(self, n))

    if TYPE_CHECKING:
        pass  # checkers know the __dict__ that every object has
    else:

        @property
        def __dict__(self) -> dict[str, Any]:
            """The values set in the current context: a new dict, not a view."""
            values = {name: peek(v) for name, v in _variables(self).items()}
            return {name: v for name, v in values.items() if v is not MISSING}

    def __repr__(self) -> str:
        """Name the class and the declared attributes."""
        return f"<{type(self).__qualname__} of {', '.join(_variables(self))}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.  Copy ``vars(local)`` instead.
        """
        msg = f"cannot copy or pickle {self!r}: its values differ by context; copy vars() of it"
        raise TypeError(msg)

    def __del__(self) -> None:
        """Free the values that the current context holds."""
        for variable in _variables(self).values():
            if variable.get(MISSING) is not MISSING:
                variable.set(MISSING)

    def override(self, /, **values: Any) -> "DeclaredOverride[Self]":  # noqa: ANN401  # of any declared type
        """Return a context manager that sets *values* and puts the old ones back.

        It may be left in another context than it was entered in; it can be used
        once.

        Args:
            values: Declared attribute names and their values within the body.

        Raises:
            AttributeError: If a name is not declared.
        """
        variables = _variables(self)
        for name in values:
            if name not in variables:
                msg = f"{self!r} declares no attribute {name!r}"
                raise AttributeError(msg, name=name, obj=self)
        return DeclaredOverride(self, {variables[n]: v for n, v in values.items()})


@final
class DeclaredOverride(Generic[D]):
    """Sets values on entry and puts the old ones back on exit; usable once."""

    __slots__ = ("_entered", "_local", "_tokens", "_values")

    def __init__(self, local: D, values: dict[ContextVar[Any], Any]) -> None:
        self._local = local
        self._values = values
        self._tokens: list[Token[Any]] = []
        self._entered = False

    def __enter__(self) -> D:
        """Set the values; return the object.

        Raises:
            RuntimeError: If it was entered before.
        """
        if self._entered:
            msg = f"an override of {self._local!r} can be entered once; make another"
            raise RuntimeError(msg)
        self._entered = True
        self._tokens = [var.set(value) for var, value in self._values.items()]
        return self._local

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Put back what the values replaced."""
        tokens, self._tokens = self._tokens, []  # they keep the context alive
        for token in tokens:
            try:
                token.var.reset(token)
            except ValueError:  # another context, which inherited the values
                old = token.old_value
                token.var.set(MISSING if old is Token.MISSING else old)


def _variables(local: DeclaredLocal) -> Variables:
    """Return the context variables of *local*, by attribute name."""
    return type(local).variables_of()
