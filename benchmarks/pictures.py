"""Save figures of matplotlib as SVG that follows the colour scheme of its reader.

Equal figures give equal files.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

TEXT, MINOR, GRID = "#1f2328", "#59636e", "#d1d9e0"
BLUE, ORANGE, PURPLE = "#0969da", "#bc4c00", "#8250df"
WHITE = "#ffffff"  # behind a legend
# The same colours in a dark scheme.
DARK = {
    WHITE: "#0d1117",
    TEXT: "#f0f6fc",
    MINOR: "#9198a1",
    GRID: "#3d444d",
    BLUE: "#58a6ff",
    ORANGE: "#f0883e",
    PURPLE: "#bc8cff",
}

mpl.rcParams.update(
    {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "rusage",  # otherwise the names of elements are random
        "figure.dpi": 72,  # matplotlib's SVG has points as pixels
        "font.size": 13,
        "text.color": TEXT,
        "axes.labelcolor": MINOR,
        "axes.edgecolor": GRID,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 15,
        "axes.titleweight": "bold",
        "grid.color": GRID,
        "legend.edgecolor": GRID,
        "xtick.color": GRID,
        "xtick.labelcolor": MINOR,
        "ytick.color": GRID,
        "ytick.labelcolor": MINOR,
    }
)


def save(figure: Figure, path: Path, title: str) -> None:
    """Write a figure that has only the colours above; ``title`` is for screen readers."""
    written = io.StringIO()
    metadata = {"Title": title, "Date": None, "Creator": None}
    figure.savefig(written, format="svg", transparent=True, metadata=metadata)
    rules = [
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    ]
    style = "\n".join(["", "@media (prefers-color-scheme: dark) {", *rules, "}", "</style>"])
    # Its width and height are in pixels.
    text = written.getvalue().replace("</style>", style, 1).replace('pt"', '"', 2)
    lines = text.splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
