"""How the documentation is built: ``sphinx-build -n -W docs docs/_build``.

Nothing is fetched while it is built, and the pages load nothing from elsewhere.
"""

import builtins
import hashlib
import re
import sys
from html import escape
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import find_pending_xref_condition

project = "asgibridge"
author = "The asgibridge developers"
project_copyright = author
release = version = installed_version("asgibridge")

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "aliases"]
exclude_patterns = ["_build"]
default_role = "py:obj"
templates_path = ["_templates"]

html_theme = "furo"
html_title = "asgibridge"
html_static_path = ["_static"]
html_css_files = ["asgibridge.css"]
html_show_copyright = False
# The theme's own underlines the names of modules, as if they were links.
pygments_dark_style = "github-dark"

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "imported-members": True,
    # What private bases have is public; what these have is in Python's own pages.
    "inherited-members": (
        "object,Protocol,dict,BaseException,ImportError,OSError,Enum,str,int"
    ),
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 76
python_use_unqualified_type_names = True

# Names of other projects cannot be looked up without their inventories, and
# private ones have no page.  Every reference to a public name has to lead to it.
nitpick_ignore_regex = [
    ("py:.*", r"(?!asgibridge\b).*"),
    ("py:.*", r"asgibridge(\.\w+)*\._.*"),
]

_DOCS: Final = Path(__file__).parent
# Letters of 16 pixels are the size of the letters in tables, then.
_SMALLEST_SCALE: Final = 0.625


def _resolve_short_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Lead a name without its package to the one public thing of this name."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    target = node["reftarget"].removesuffix("()").removeprefix("asgibridge.")
    ending = "." + target.rpartition("._")[2]
    found = {
        name
        for name, entry in domain.objects.items()
        if name.endswith(ending) and not entry.aliased
    }
    if len(found) != 1:
        return None
    (name,) = found
    entry = domain.objects[name]
    uri: str = app.builder.get_relative_uri(node["refdoc"], entry.docname)
    link = nodes.reference("", "", internal=True, refuri=f"{uri}#{entry.node_id}")
    shortened = find_pending_xref_condition(node, "resolved")
    link += content if shortened is None else shortened.children
    return link


# Defaults that Python cannot write as code, and what they are called instead.
_DEFAULTS: Final = (
    (r"<(?:function|built-in method) (?:\w+\.)*(\w+)[^>]*>", r"\1"),
    (r"<class '(?:\w+\.)*(\w+)'>", r"\1"),
    (r"<Logger (\S+) \([^)]*\)>", r"getLogger('\1')"),
    (r"\bNOTHING\b", "..."),  # attrs calls a function for it
    (r"~(?:\w+\.)*~?(P|T|T_co|Ts)\b", r"\1"),
)


def _write_readably(
    _app: Sphinx,
    what: str,
    _name: str,
    obj: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write a signature as a person would; a Protocol is not called at all."""
    if what == "class" and getattr(obj, "_is_protocol", False):
        return "", returns
    for pattern, text in _DEFAULTS:
        signature = signature and re.sub(pattern, text, signature)
        returns = returns and re.sub(pattern, text, returns)
    return signature, returns


def _heading_above(node: nodes.Element) -> str:
    """Return the title of the section that a node is in."""
    parent: nodes.Element | None = node
    while parent is not None and not isinstance(parent, nodes.section):
        parent = parent.parent
    title = None if parent is None else parent.next_node(nodes.title)
    return "" if title is None else title.astext()


def _readable(svg: str) -> str:
    """Keep a large diagram from being made too small for its letters: it scrolls."""
    width = re.search(r'viewBox="\S+ \S+ (\S+)', svg)
    least = 0 if width is None else round(float(width[1]) * _SMALLEST_SCALE)
    return svg.replace('style="', f'style="min-width: {least}px; ', 1)


class _ShowDiagrams(SphinxPostTransform):
    """Put the pictures that ``docs/diagrams.py`` has drawn where diagrams are."""

    default_priority = 5
    formats = ("html",)

    def run(self, **_options: object) -> None:
        """Replace each block of Mermaid that has a picture, which stay text else."""
        for node in list(self.document.findall(nodes.literal_block)):
            if node.get("language") != "mermaid":
                continue
            digest = hashlib.sha256(node.astext().strip().encode()).hexdigest()[:16]
            picture = _DOCS / "_diagrams" / f"{digest}.svg"
            if picture.exists():
                svg = picture.read_text("utf-8")
                label = escape(f"Diagram: {_heading_above(node)}")
                # Focusable, since it scrolls where the screen is narrow.
                attributes = f'role="img" aria-label="{label}" tabindex="0"'
                html = f'<div class="diagram" {attributes}>{_readable(svg)}</div>'
                node.replace_self(nodes.raw("", html, format="html"))
            else:
                node["language"] = "text"


class _LeaveBuiltins(SphinxPostTransform):
    """Keep `bytes` from being looked for among the keys of events."""

    default_priority = 5  # before references are resolved

    def run(self, **_options: object) -> None:
        """Put the text in the place of each reference to a builtin."""
        for node in list(self.document.findall(pending_xref)):
            if node["refdomain"] == "py" and hasattr(builtins, node["reftarget"]):
                full = find_pending_xref_condition(node, "*")
                node.replace_self((node if full is None else full).children)


def _write_changelog(_app: Sphinx) -> None:
    """Put the fragments of changes and the released ones into one page."""
    root = _DOCS.parent
    released = (root / "CHANGELOG.md").read_text("utf-8")
    parts = ["# Changelog\n", "## Not released yet\n"]
    for fragment in sorted((root / "changelog.d").glob("*.md")):
        text = fragment.read_text("utf-8")
        if fragment.name != "README.md":
            parts.append(_as_section(text, fragment.stem))
    parts.extend(
        f"## {section}" for section in released.split("\n## ")[1:]
    )  # what a release has moved there
    page = "\n".join(parts)
    target = _DOCS / "changelog.md"
    if not target.exists() or target.read_text("utf-8") != page:
        target.write_text(page, "utf-8")


def _as_section(text: str, name: str) -> str:
    if text.startswith("# "):
        return f"##{text}"
    return f"### {name.replace('-', ' ').capitalize()}\n\n{text}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what is above."""
    app.add_post_transform(_ShowDiagrams)
    app.add_post_transform(_LeaveBuiltins)
    app.connect("autodoc-process-signature", _write_readably)
    app.connect("missing-reference", _resolve_short_name)
    app.connect("builder-inited", _write_changelog)
    return {"parallel_read_safe": True}
