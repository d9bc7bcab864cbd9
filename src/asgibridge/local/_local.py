"""The namespace that follows the code."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, cast

from ._namespace import Namespace
from ._override import Override
from ._stores import NOTHING, Store, Values, make_store

__all__ = ("Local", "ThreadCriticalLocal")


class Local:
    """Attributes that are visible to the code they were set for, and to no other.

    Use it where you would use `threading.local`.  In threads it behaves as that
    does.  In tasks each task has its own values, and starts with those of the
    task that created it.  Calls through a bridge, `asyncio.to_thread` and
    `contextvars.Context.run` take the values along; a new thread has none.

        >>> request = Local()
        >>> request.user = "ann"
        >>> with request.override(user="bob"):
        ...     request.user
        'bob'
        >>> request.user
        'ann'

    Every attribute name is yours, also those of the methods: a value that was
    set hides the method, which stays reachable as ``Local.override(request)``.

    A subclass may define ``__init__``.  As with `threading.local`, it runs once
    in the context that creates the object, and again with the same arguments in
    each context that first uses it and has inherited nothing.  Properties and
    methods of a subclass work as usual; its ``__slots__`` are shared by all.

    Reading and writing take no lock and may be done from any thread.  When the
    object dies, it empties the values of the context it dies in (and of those
    that share them unchanged); others keep theirs until they end.

    Args:
        thread_critical: Keep each value on its thread, for what must not be
            used on another: sync code has one set of values per thread (exactly
            `threading.local`), async code one per task, and no crossing takes
            them along.
    """

    # The descriptors of the slots are taken out of the class below: no
    # attribute name leads to them, so none is reserved.
    __slots__ = ("__weakref__", "_arguments", "_origin", "_read", "_store")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401  # for __init__
        """Create the object, with no values anywhere."""
        self = object.__new__(cls)
        plain = cls.__init__ is Local.__init__
        critical = bool(plain and kwargs.get("thread_critical"))
        store = make_store(
            f"{cls.__module__}.{cls.__qualname__}",
            thread_critical=critical or issubclass(cls, ThreadCriticalLocal),
        )
        _set_read(self, store.get)
        _set_store(self, store)
        _set_origin(self, _caller())
        _set_arguments(self, None if plain else (args, kwargs))
        if not plain:
            store.set({})  # type.__call__ runs __init__ for this context
        return self

    def __init__(self, *, thread_critical: bool = False) -> None:
        """Do nothing: what there is to do, `__new__` has done."""

    if TYPE_CHECKING:  # at runtime it is __getattribute__

        def __getattr__(self, name: str, /) -> Any: ...  # noqa: ANN401  # anything

    else:

        def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # anything
            try:
                return _get_read(self)()[name]
            except LookupError:
                return _read_other(self, name)

    def __setattr__(self, name: str, value: Any, /) -> None:  # noqa: ANN401  # anything
        """Set the attribute for the current context."""
        if type(self) is not Local and _is_special(self, name):
            object.__setattr__(self, name, value)
            return
        store = _get_store(self)
        values: Values = store.get(NOTHING).copy()
        values[name] = value
        store.set(values)

    def __delattr__(self, name: str, /) -> None:
        """Delete the attribute from the current context.

        Raises:
            AttributeError: If it is not set here.
        """
        if type(self) is not Local and _is_special(self, name):
            object.__delattr__(self, name)
            return
        store = _get_store(self)
        values: Values = store.get(NOTHING)
        if name not in values:
            _raise_missing(self, name)
        store.set({k: v for k, v in values.items() if k != name} or NOTHING)

    def __dir__(self) -> list[str]:
        """Return the names of the values set here and of the class's attributes."""
        _begin(self)
        return sorted({*dir(type(self)), *_get_store(self).get(NOTHING)})

    def __repr__(self) -> str:
        """Name the class and the line that created the object."""
        return f"<{type(self).__qualname__} from {_get_origin(self)}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: Always.  Copy ``vars(local)`` instead.
        """
        msg = f"cannot copy or pickle {self!r}: its values differ by context; copy vars() of it"
        raise TypeError(msg)

    def __del__(self) -> None:
        """Free the values that the current context holds."""
        # Nobody can look any more, so the rule of never changing values in
        # place has no one left to protect.
        values: Values = _get_store(self).get(NOTHING)
        if values is not NOTHING:
            values.clear()

    def override(self, /, **values: Any) -> Override[Self]:  # noqa: ANN401  # anything
        """Return a context manager that sets *values* and puts the old ones back.

        Other attributes that are set in the body stay set.  It may be left in
        another context than it was entered in; it can be used once.

        Args:
            values: Attribute names and their values within the body.
        """
        _begin(self)
        return Override(self, values, _get_store(self))


class ThreadCriticalLocal(Local):
    """A `Local` whose values stay on their thread; the one to derive from.

    The same as ``Local(thread_critical=True)``, which suffices where no
    subclass is wanted.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self) -> None: ...


def _take_slot(name: str) -> tuple[Callable[[Local], Any], Callable[[Local, Any], Any]]:
    """Take the slot *name* out of `Local`; return what gets and what sets it."""
    slot = Local.__dict__[name]
    delattr(Local, name)
    return slot.__get__, slot.__set__


# The slots, all written once before anybody else can see the object.
_get_read, _set_read = cast(
    "tuple[Callable[[Local], Callable[[], Values]], Callable[[Local, object], None]]",
    _take_slot("_read"),
)
_get_store, _set_store = cast(
    "tuple[Callable[[Local], Store], Callable[[Local, Store], None]]",
    _take_slot("_store"),
)
_get_origin, _set_origin = _take_slot("_origin")
_get_arguments, _set_arguments = cast(
    "tuple[Callable[[Local], _Arguments | None], Callable[[Local, object], None]]",
    _take_slot("_arguments"),
)
_Arguments = tuple[tuple[Any, ...], dict[str, Any]]

# Classes whose descriptors give way to values of the same name.
_OWN: Final = frozenset({object, Local, ThreadCriticalLocal})
# What objects of these classes have besides values.
_OWN_NAMES: Final = frozenset({*dir(Local), *dir(ThreadCriticalLocal), "__dict__"})


def _begin(local: Local) -> bool:
    """Run a subclass's ``__init__`` where it has not run; return whether it did."""
    arguments = _get_arguments(local)
    store = _get_store(local)
    if arguments is None or store.get(None) is not None:
        return False
    args, kwargs = arguments
    token = store.set({})
    try:
        type(local).__init__(local, *args, **kwargs)
    except BaseException:  # whatever it was: the next use tries again
        store.reset(token)
        raise
    return True


def _read_other(local: Local, name: str) -> Any:  # noqa: ANN401  # any attribute
    """Read what is not among the values: set up first, or part of the class."""
    if type(local) in _OWN and name not in _OWN_NAMES:
        # Nothing to set up, no class to ask.  Quickly: Django asks hasattr() for
        # what is not set several times in each request.
        raise AttributeError(_missing(local, name), name=name, obj=local) from None
    if _begin(local):
        return getattr(local, name)
    if name == "__dict__":
        return Namespace(local, _get_store(local))
    try:
        return object.__getattribute__(local, name)
    except AttributeError:
        if any(name in cls.__dict__ for cls in type(local).__mro__):
            raise  # a property says something of its own
        _raise_missing(local, name)


def _is_special(local: Local, name: str) -> bool:
    """Return whether a subclass's property or slot takes the write.

    Also makes sure that ``__init__`` has run, as every use of a subclass does.
    """
    _begin(local)
    for cls in type(local).__mro__:
        if cls not in _OWN and name in cls.__dict__:
            found: object = cls.__dict__[name]
            return hasattr(type(found), "__set__")
    return False


def _raise_missing(local: Local, name: str) -> NoReturn:
    """Raise the error for an attribute that is not set here."""
    raise AttributeError(_missing(local, name), name=name, obj=local) from None


def _missing(local: Local, name: str) -> str:
    """Return the message for an attribute that is not set here."""
    return f"{local!r} has no attribute {name!r} in this context; other threads and tasks have their own"


def _caller() -> str:
    """Return module and line of the code that creates a `Local`."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno}"
