"""How a class body becomes attributes with a context variable each."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import OptionError
from ._inherited import THREADS_INHERIT, is_inherited

__all__ = ("MISSING", "DeclaringType", "Variables", "peek")

MISSING: Final[Any] = object()
"""What the variable of a deleted attribute holds."""

Variables = MappingProxyType[str, ContextVar[Any]]
"""The context variables of one object, by attribute name."""

_OWN_CLASS: Final = "__asgibridge_variables__"  # marks the class made for an object


class DeclaringType(type):
    """Makes classes without ``__dict__``, and one more class for each object.

    The class of an object holds a property per attribute that knows the
    object's own context variable: nothing is left to look up in a read.
    """

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        **kwargs: Any,  # noqa: ANN401  # for __init_subclass__
    ) -> "DeclaringType":
        """Check the declarations of a class body."""
        # A __dict__ would take undeclared names, and share them between threads.
        namespace.setdefault("__slots__", ())
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        if _OWN_CLASS not in namespace:
            _check(cls)
        return cls

    if TYPE_CHECKING:
        pass  # checkers know better than an annotation what a class returns
    else:

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as type
            """Create an object, with a class and context variables of its own."""
            prefix = f"{cls.__module__}.{cls.__qualname__}"
            variables = {n: ContextVar[Any](f"{prefix}.{n}") for n in _names(cls)}
            namespace: dict[str, Any] = {
                _OWN_CLASS: MappingProxyType(variables),
                "__module__": cls.__module__,
                "__qualname__": cls.__qualname__,
                "__doc__": cls.__doc__,
            }
            for name, variable in variables.items():
                default = getattr(cls, name, MISSING)
                namespace[name] = _make_property(name, variable, default)
            own = DeclaringType(cls.__name__, (cls,), namespace)
            return type.__call__(own, *args, **kwargs)

    def variables_of(cls) -> Variables:
        """Return the context variables of the object that *cls* was made for."""
        variables: Variables = cls.__dict__[_OWN_CLASS]
        return variables


def peek(variable: ContextVar[Any]) -> Any:  # noqa: ANN401  # any value
    """Return what is visible of *variable* here, or `MISSING`."""
    value = variable.get(MISSING)
    return MISSING if is_inherited(variable, value) else value


def _own_names(cls: type) -> list[str]:
    """Return the attributes that *cls* itself declares, in order.

    Annotations may be strings; only ``ClassVar`` matters, which reads the same.
    """
    return [
        name
        for name, annotation in inspect.get_annotations(cls).items()
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar"))
    ]


def _names(cls: type) -> list[str]:
    """Return the attributes that *cls* and its bases declare, bases first."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if isinstance(base, DeclaringType):
            names.update(dict.fromkeys(_own_names(base)))
    return list(names)


def _check(cls: type) -> None:
    """Refuse declarations that could not keep their promise.

    Raises:
        OptionError: For a default that would be shared while it changes, and for
            an ``__init__``.
    """
    way_out = "derive from Local and make it in __init__, which runs per context"
    for name in _own_names(cls):
        default = cls.__dict__.get(name)
        if type(default).__hash__ is None:
            msg = f"default of {cls.__qualname__}.{name} is a {type(default).__qualname__}, which all contexts would share; {way_out}"
            raise OptionError(msg)
    if "__init__" in cls.__dict__ and cls.__module__ != "asgibridge.local._declared":
        msg = f"{cls.__qualname__}.__init__ would run in one context only; give defaults, or {way_out}"
        raise OptionError(msg)


def _make_property(name: str, variable: ContextVar[Any], default: Any) -> property:  # noqa: ANN401  # any value
    """Return the property that reads and writes *variable*."""
    write = variable.set

    def put(_local: object, value: object) -> None:
        write(value)

    def delete(local: object) -> None:
        if peek(variable) is MISSING:
            _raise_missing(local, name)
        write(MISSING)

    return property(_make_get(name, variable, default), put, delete)


def _make_get(
    name: str,
    variable: ContextVar[Any],
    default: Any,  # noqa: ANN401  # any value
) -> Callable[[object], Any]:
    """Return the function that reads *variable*.

    A closure over the variable's own method: what a property costs is the call
    of its function and each name looked up in it.

    Args:
        name: The attribute, for the error message.
        variable: Holds the attribute's values.
        default: What is read where nothing is set; `MISSING` raises.
    """
    read = variable.get

    def unset(local: object) -> Any:  # noqa: ANN401  # any value
        if default is MISSING:
            _raise_missing(local, name)
        return default

    def get(local: object) -> Any:  # noqa: ANN401  # any value
        if (value := read(MISSING)) is not MISSING:
            return value
        return unset(local)

    def get_guarded(local: object) -> Any:  # noqa: ANN401  # any value
        if (value := peek(variable)) is not MISSING:
            return value
        return unset(local)

    return get_guarded if THREADS_INHERIT else get


def _raise_missing(local: object, name: str) -> NoReturn:
    """Raise the error for a declared attribute that is not set here."""
    msg = f"{local!r} has no value for {name!r} in this context; other threads and tasks have their own"
    raise AttributeError(msg, name=name, obj=local)
