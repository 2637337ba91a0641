"""Run all benchmarks and write their page: ``python benchmarks/performance.py [NAME ...]``.

Most programs in this folder print tables in Markdown, which replace their sections in
benchmarks/results.md. With names, only these are run.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "results.md"
SECTION = re.compile(r"<!-- (\w+) -->\n.*?<!-- /\1 -->\n", re.DOTALL)
HEADINGS = {
    "calls": "Calls and import",
    "children": "Starting a child, and measuring a block",
    "command": "The command, compared with hyperfine and GNU time",
    "opentelemetry_collection": "OpenTelemetry",
    "processes": "Reading another process",
    "prometheus_scrape": "Prometheus",
    "pytest_plugin": "The plugin for pytest",
    "trees": "A process and its descendants",
}
ABOVE_BOUND = 2  # the exit status of a benchmark that has printed a value above its bound


def benchmarks() -> dict[str, Path]:
    """Return the programs in this folder whose tables are on the page, by name."""
    others = {"inherited_peaks", "performance", "pictures", "recording"}
    return {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in others}


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
        f"{os.cpu_count()} CPUs ({model}), {dt.datetime.now(dt.UTC).date()}"
    )


def section(name: str, path: Path) -> str:
    """Run a benchmark; return its section of the page, which shows if a value exceeds its bound."""
    done = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != ABOVE_BOUND:
        done.check_returncode()
    # The first line is in machine() too.
    output = re.sub(rf"\A{platform.python_implementation()}.*\n+", "", done.stdout).strip()
    lines = [
        f"<!-- {name} -->",
        f"## {HEADINGS[name]}",
        "",
        f"`benchmarks/{path.name}`: {machine()}",
        "",
        output,
        "",
        f"<!-- /{name} -->",
        "",
    ]
    return "\n".join(lines)


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
    after = "\n".join(sections[name] for name in known if name in sections)
    PAGE.write_text(before + after, encoding="utf-8")


if __name__ == "__main__":
    main()
