"""The tables of ``--rusage``: which phases of tests used the most."""

from __future__ import annotations

from ._text import MIB, mebibytes

TYPE_CHECKING = False

if TYPE_CHECKING:
    # setup, call or teardown; the test's ID; the measured figures
    Phase = tuple[str, str, dict[str, float]]

CHILDREN_CPUTIME, MAXRSS_RISE, RETAINED = "children_cputime", "maxrss_rise", "retained"

# The columns of the tables, and for each table its title, the figures whose sum orders it, and the smallest sum shown.
COLUMNS = {
    "cputime": "CPU time",
    CHILDREN_CPUTIME: "children's",
    "peak_growth": "peak growth",
    MAXRSS_RISE: "rise of the process's peak",
    RETAINED: "retained",
    "majflt": "major faults",
}
TABLES = [
    ("most CPU time, own and children's", ("cputime", CHILDREN_CPUTIME), 0.001),
    ("largest growth of the peak", ("peak_growth",), 0.1 * MIB),
    ("largest rise of the process's peak, which could not be reset", (MAXRSS_RISE,), 0.1 * MIB),
    ("most memory retained after the test", (RETAINED,), 0.1 * MIB),
]


def table(phases: list[Phase], names: tuple[str, ...], least: float, number: int) -> list[str]:
    """Return a table of the ``number`` phases (0: all) with the largest sum of the figures in ``names``."""

    def total(phase: Phase) -> float:
        figures = phase[2]
        return sum([figures.get(name, 0) for name in names])  # faster than a generator

    largest = sorted((phase for phase in phases if total(phase) >= least), key=total, reverse=True)
    if not largest:
        return [f"none of {_cell(names[0], least)} or more"]
    columns = [name for name in COLUMNS if any(name in phase[2] for phase in largest)]
    rows = [
        [*(_cell(name, figures[name]) if name in figures else "-" for name in columns), when, nodeid]
        for when, nodeid, figures in largest[: number or None]
    ]
    rows.insert(0, [*(COLUMNS[name] for name in columns), "phase", "test"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([*map(str.rjust, row[:-2], widths), row[-2].ljust(widths[-2]), row[-1]]) for row in rows]


def _cell(name: str, figure: float) -> str:
    if name in ("peak_growth", MAXRSS_RISE, RETAINED):
        return mebibytes(figure)
    return f"{figure:.3f} s" if name in ("cputime", CHILDREN_CPUTIME) else str(figure)
