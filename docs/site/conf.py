"""Settings of the documentation site, which `make docs` builds from the Markdown files of the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from ablate import __version__ as release  # noqa: E402, F401  # read by Sphinx

project = "ablate"
html_title = "ablate"
root_doc = "README"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "repository_links",
    "navigation",
    "layered_graph",
]
include_patterns = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "benchmarks/README.md"),
    *("reports/*.md", "reports/*/report.md", "examples/*.ipynb"),
]
exclude_patterns = [".*", "build", "dist", "mlruns", "reports/demo", "tests"]

nb_execution_mode = "off"  # notebooks are shown as they were executed
nb_ipywidgets_js = {}  # of another host, and no notebook has widgets
myst_all_links_external = True  # `repository_links` resolves them as GitHub does
myst_heading_anchors = 4
default_role = "literal"  # docstrings mark code as Markdown does
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
maximum_signature_line_length = 60
add_module_names = False

html_theme = "furo"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
copybutton_prompt_text = "$ "


def setup(app: Sphinx) -> None:
    """Adapt what Sphinx and its extensions have no option for."""
    app.add_lexer("csv", TextLexer)  # Pygments has none for comma-separated values
    app.connect("autodoc-process-signature", _without_factories)
    app.connect("doctree-read", _attributes_named)


def _without_factories(*described: Any) -> tuple[str | None, str | None]:
    """Return a signature with `...` for defaults that a function makes."""
    signature, returned = described[-2:]
    return signature and signature.replace("<factory>", "..."), returned


def _attributes_named(_app: Sphinx, document: nodes.document) -> None:
    """Call the attributes of a class by this name; Sphinx calls them variables."""
    for name in document.findall(nodes.field_name):
        if name.astext() == "Variables":
            name.children = [nodes.Text("Attributes")]
