"""Configuration of Sphinx: ``tox -e docs`` builds the site."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import rusage
from docutils import nodes
from sphinx.application import Sphinx

if TYPE_CHECKING:
    from sphinx.domains.python import PythonDomain

HERE = Path(__file__).parent

project = "rusage"
author = "The rusage developers"
project_copyright = author
release = rusage.__version__

extensions = [
    "myst_parser",
    "sphinx_copybutton",
]
# The table of contents on GitHub, too: its lists of pages become those of the site.
root_doc = "README"
exclude_patterns = ["_build"]

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"rusage {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["search.js"]
html_copy_source = False
html_use_index = False
# For the theme's "edit" links.
_metadata = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
_urls = _metadata["project"]["urls"]
if "Source" in _urls:
    html_theme_options = {
        "source_repository": _urls["Source"],
        "source_branch": "main",
        "source_directory": "docs/",
    }

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Buttons copy commands without their prompt and output; output has no button.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.highlight-output, .highlight-text) > div.highlight pre"


def contents(text: str) -> str:
    """Return the hidden tables of contents of the pages in the lists below each heading."""
    tables = []
    for part in text.split("\n## ")[1:]:
        title, _, lists = part.partition("\n")
        pages = re.findall(r"(?m)^- \[`?([^]`]+)`?\]\(([\w-]+)\.md\)", lists)
        if pages:
            lines = [f"{name} <{page}>" for name, page in pages]
            options = [f":caption: {title}", ":maxdepth: 1", ":hidden:", ""]
            tables += ["", "```{toctree}", *options, *lines, "```", ""]
    return "\n".join(tables)


def copy_index(app: Sphinx, error: Exception | None) -> None:
    """Let the site begin with its table of contents."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")


def note_names(app: Sphinx, document: nodes.document) -> None:
    """Let other projects link to the names whose headings are on the API page."""
    if app.env.docname != "api":
        return
    domain = cast("PythonDomain", app.env.get_domain("py"))
    for heading in document.findall(nodes.section):
        name, _, text = heading.astext().partition("\n")
        last = name.rpartition(".")[2]
        if not name.startswith("rusage."):
            continue
        if heading.parent.astext().startswith("rusage."):
            kind = "method"
        elif last[0].isupper() and not last.isupper():
            kind = "class"
        else:
            kind = "function" if f"{name}(" in text else "data"
        domain.note_object(name, kind, heading["ids"][0])


def setup(app: Sphinx) -> None:
    """Connect the functions above, and lead links to other folders to the repository."""
    start = f"{_urls['Source']}/blob/main/" if "Source" in _urls else "path:../"

    def replace(_: Sphinx, name: str, source: list[str]) -> None:
        if name == "README":
            source[0] += contents(source[0])
        if "Source" not in _urls:  # a copy has no headings to lead to
            source[0] = re.sub(r"(\]\(\.\./[^)#]+)#[^)]*", r"\1", source[0])
        source[0] = source[0].replace("](../", f"]({start}")

    def mark_long_words(_: Sphinx, document: nodes.document) -> None:
        """Let custom.css break the words of code that are wider than a telephone, and no others."""
        for literal in document.findall(nodes.literal):
            if any(len(word) > 36 for word in literal.astext().split()):
                literal["classes"].append("long")

    app.connect("source-read", replace)
    app.connect("build-finished", copy_index)
    app.connect("doctree-read", mark_long_words)
    app.connect("doctree-read", note_names)
