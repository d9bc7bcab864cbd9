"""Shows the public names of a module that are neither classes nor functions.

``autodoc`` leaves them out where a package only passes them on: what is written
below ``ASGIApp = ...`` is known of the module that has this line alone.  So this
finds the line, from ``from ._asgi_apps import ASGIApp`` on.
"""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ("alias_names", "setup")

# Longer ones, such as the tables of rules, are not to be read as a value.
_LONGEST_VALUE: Final = 400


class _Definition(NamedTuple):
    """Where a name gets its value, and what is written there about it."""

    value: str
    text: str


def alias_names(module: str) -> list[str]:
    """Return the public names of a module that autodoc does not show."""
    found = importlib.import_module(module)
    members = ((name, getattr(found, name)) for name in getattr(found, "__all__", ()))
    return [
        name
        for name, member in members
        if not isinstance(member, type) and not inspect.isroutine(member)
    ]


def _is_of_this_project(module: str) -> bool:
    return module.partition(".")[0] == "asgibridge"


def _find(module: str, name: str) -> _Definition:
    if not _is_of_this_project(module):
        return _Definition("", f"That of `{module}`.")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    body = ast.parse(Path(spec.origin).read_text("utf-8")).body
    for number, node in enumerate(body):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = "." * node.level + (node.module or "")
                    return _find(
                        importlib.util.resolve_name(source, package), alias.name
                    )
        elif (value := _value_of(node, name)) is not None:
            return _Definition(ast.unparse(value), _text_after(body, number))
    msg = f"{module} does not define {name}"
    raise LookupError(msg)


def _value_of(node: ast.stmt, name: str) -> ast.expr | None:
    targets = node.targets if isinstance(node, ast.Assign) else ()
    if isinstance(node, ast.AnnAssign):
        targets = (node.target,)
    is_it = any(isinstance(it, ast.Name) and it.id == name for it in targets)
    return getattr(node, "value", None) if is_it else None


def _text_after(body: list[ast.stmt], number: int) -> str:
    match body[number + 1 : number + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return inspect.cleandoc(text)
    msg = f"nothing is written below {ast.unparse(body[number])}"
    raise LookupError(msg)


class _Aliases(SphinxDirective):
    """``.. aliases:: MODULE``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show them in alphabetical order."""
        (module,) = self.arguments
        lines = list(self._lines(module))
        self.env.note_dependency(__file__)
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=module), 0, node)
        return node.children

    def _lines(self, module: str) -> Iterator[str]:
        yield f".. py:currentmodule:: {module}"
        for name in sorted(alias_names(module)):
            found = _find(module, name)
            yield ""
            yield f".. py:data:: {name}"
            if found.value and len(found.value) <= _LONGEST_VALUE:
                yield f"   :value: {found.value}"
            yield ""
            yield from (f"   {line}" for line in found.text.splitlines())


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer the directive."""
    app.add_directive("aliases", _Aliases)
    return {"parallel_read_safe": True}
