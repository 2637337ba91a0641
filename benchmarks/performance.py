"""Run all benchmarks and write the performance page: ``python benchmarks/performance.py [NAME ...]``.

Each program in this folder prints tables in Markdown. What it prints replaces its section in docs/performance.md; the
first column of ratios of its first table is also drawn, into docs/_static. With names, only these are run.
"""

from __future__ import annotations

import ast
import datetime as dt
import os
import platform
import re
import subprocess
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PAGE = DOCS / "performance.md"
SECTION = re.compile(r"<!-- (\w+) -->\n.*?<!-- /\1 -->\n", re.DOTALL)
RATIO = re.compile(r"(?:(1)/)?(\d+(?:\.\d+)?)")

WIDTH, ROW, BAR = 560, 44, 14  # of a picture
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.bar { fill: #0969da; } .one { stroke: #bc4c00; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc; } .bar { fill: #58a6ff; } .one { stroke: #f0883e; } }
"""


def benchmarks() -> dict[str, Path]:
    """Return the programs in this folder, by name."""
    return {path.stem: path for path in sorted(HERE.glob("*.py")) if path.name != Path(__file__).name}


def machine() -> str:
    """Describe this machine and interpreter."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
        model = names[0] if names else model
    return (
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}, "
        f"{os.cpu_count()} CPUs ({model}), {dt.datetime.now(dt.timezone.utc).date()}"
    )


def cells(line: str) -> list[str]:
    """Return the cells of a row of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def ratios(output: str) -> tuple[str, list[tuple[str, float]]]:
    """Return the heading and the values of the first column of ratios of the first table; none if there is none."""
    lines = [cells(line) for line in output.split("|", 1)[-1].split("\n\n", 1)[0].splitlines() if "|" in line]
    if len(lines) < 3 or len(lines[0]) < 2:
        return "", []
    head, _, *rows = lines
    if "to" not in [*head[1].split(), *head[0].split()] and "ratio" not in head[1]:
        return "", []
    values = [(row[0], RATIO.fullmatch(row[1])) for row in rows]
    found = [(name, float(m[2]) if m[1] is None else 1 / float(m[2])) for name, m in values if m is not None]
    return head[1], found


def picture(title: str, values: list[tuple[str, float]]) -> str:
    """Return bars with a line at 1, as SVG."""
    top = 40
    scale = (WIDTH - 60) / max(1.0, *(value for _, value in values))
    bottom = top + len(values) * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 20}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)} (smaller is better)</text>',
        f'<text x="{scale:.1f}" y="{bottom + 16}" text-anchor="middle">1</text>',
    ]
    for at, (name, value) in enumerate(values):
        y = top + at * ROW
        lines += [
            f'<text x="0" y="{y + 12}">{escape(name.replace("`", ""))}</text>',
            f'<rect class="bar" x="0" y="{y + 18}" width="{value * scale:.1f}" height="{BAR}"/>',
            f'<line class="one" x1="{scale:.1f}" y1="{y + 14}" x2="{scale:.1f}" y2="{y + 22 + BAR}"/>',
            f'<text x="{max(1.0, value) * scale + 8:.1f}" y="{y + 30}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def section(name: str, path: Path) -> str:
    """Run a benchmark; return its section of the page."""
    done = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, text=True, check=True)
    output = re.sub(rf"\A{platform.python_implementation()}.*\n+", "", done.stdout).strip()  # machine() has it
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    lines = [
        f"<!-- {name} -->",
        f"## `benchmarks/{path.name}`",
        "",
        text.replace("``", "`"),
        "",
        machine(),
        "",
        output,
        "",
    ]
    title, values = ratios(output)
    title = title.replace("`", "")
    if values:
        (DOCS / "_static" / f"{name}.svg").write_text(picture(title, values), encoding="utf-8")
        described = ", ".join(f"{what} {value:.2f}" for what, value in values).replace("`", "")
        lines += [f"```{{image}} _static/{name}.svg", f":alt: {described}", ":width: 560px", "```", ""]
    return "\n".join([*lines, f"<!-- /{name} -->", ""])


def main() -> None:
    """Run the benchmarks and write the page."""
    known = benchmarks()
    names = sys.argv[1:] or [*known]
    text = PAGE.read_text(encoding="utf-8")
    sections = {match[1]: match[0] for match in SECTION.finditer(text)}
    for name in names:
        print(name, flush=True)
        sections[name] = section(name, known[name])
    before = text[: text.index("<!-- ")] if "<!-- " in text else f"{text}\n"
    PAGE.write_text(before + "\n".join(sections[name] for name in known if name in sections), encoding="utf-8")


if __name__ == "__main__":
    main()
