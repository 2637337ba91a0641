"""Configuration of Sphinx: ``tox -e docs`` builds the site."""

import tomllib
from pathlib import Path
from zlib import compress

import rusage

HERE = Path(__file__).parent
BUILT = HERE / "_build"

project = "rusage"
author = "The rusage developers"
project_copyright = author
release = rusage.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpicky = True
# Types of other packages, whose documentation is not linked.
nitpick_ignore = [
    ("py:class", "opentelemetry.metrics.MeterProvider"),
    ("py:class", "prometheus_client.metrics_core.Metric"),
]

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

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

# Buttons copy commands without their prompt and output; output has no button.
copybutton_prompt_text = "$ "
copybutton_selector = "div:not(.highlight-output, .highlight-text) > div.highlight pre"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 68

# Links to Python's documentation. python.txt has the lines of its inventory that are used: a build
# needs no network.
_inventory = BUILT / "python.inv"
_inventory.parent.mkdir(exist_ok=True)
_inventory.write_bytes(
    b"# Sphinx inventory version 2\n# Project: Python\n# Version: 3\n"
    b"# The remainder of this file is compressed using zlib.\n"
    + compress((HERE / "python.txt").read_bytes())
)
intersphinx_mapping = {"python": ("https://docs.python.org/3", str(_inventory))}
