"""The last run of the suite on each system: ``docs/runs.json``, the source of the table on the development page.

The programs in this folder that run the suite record their runs if they get ``--record``. A run elsewhere is recorded
by hand, with the last line that pytest has printed. Then ``platform_tables.py`` writes the tables::

    python tests/tools/runs.py "FreeBSD 15.1 x86_64, CPython 3.13" "a real kernel" "624 passed, 83 skipped in 98.76s"

The system starts with the name of its backend. The second argument names the machine and the part of the suite.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "docs" / "runs.json"
COUNTS = ["passed", "failed", "skipped", "xfailed"]
# pytest's last line, which may stand between equals signs.
SUMMARY = re.compile(r"(?:^|= )((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b")


HEAD = ["system", "what has been run", "date", "commit", "passed", "failed", "skipped", "known to fail"]


class Run(NamedTuple):
    """How a run of the suite ended."""

    status: int
    lines: list[str]


def take_option(arguments: list[str]) -> str | None:
    """Remove ``--record``, which is for runs of the whole suite; return the commit to record, None without it."""
    if "--record" not in arguments:
        return None
    arguments.remove("--record")
    if arguments:
        sys.exit("--record is for a run of the whole suite, without other arguments")
    return commit()


def watch(command: Sequence[str], timeout: float | None = None, env: Mapping[str, str] | None = None) -> Run:
    """Run a command and pass its output on; kill it after some seconds."""
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        timer = threading.Timer(timeout or threading.TIMEOUT_MAX, process.kill)
        timer.daemon = True
        timer.start()
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip("\r\n")
            print(text, flush=True)
            lines.append(text)
        status = process.wait()
        timer.cancel()
    return Run(status, lines)


def counts(lines: Sequence[str]) -> dict[str, int]:
    """Return how many tests have passed, failed and so on, by the last of pytest's summaries; empty without one."""
    for line in reversed(lines):
        found = SUMMARY.search(line)
        if found:
            numbers = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", found[1])}
            numbers["failed"] = numbers.get("failed", 0) + sum(numbers.pop(name, 0) for name in ("error", "errors"))
            return {name: numbers.get(name, 0) for name in COUNTS}
    return {}


def commit() -> str:
    """Return the commit that is checked out, with "and changes" if files outside of the documentation have changed."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], check=True, capture_output=True, text=True).stdout
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ".", ":!docs", ":!README.md"], check=False)
    return name.strip() + (" and changes" if changed.returncode else "")


def record(system: str, what: str, lines: Sequence[str], tested: str) -> None:
    """Replace what is known of a system by a run of today; the lines are pytest's output, ``tested`` is the commit."""
    numbers = counts(lines)
    if not numbers:
        sys.exit(f"{system}: pytest has printed no summary, so nothing is recorded")
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    runs = read()
    runs[system] = {"what": what, "date": date, "commit": tested, **numbers}
    FILE.write_text(json.dumps(dict(sorted(runs.items())), indent=1) + "\n", encoding="utf-8")


def read() -> dict[str, dict[str, str | int]]:
    """Return all runs, by systems."""
    runs: dict[str, dict[str, str | int]] = json.loads(FILE.read_text(encoding="utf-8"))
    return runs


def rows() -> list[list[str]]:
    """Return the cells of the table."""
    return [
        [system, *(str(run[name]) for name in ("what", "date", "commit", *COUNTS))] for system, run in read().items()
    ]


def largest_run(backend: str) -> str | None:
    """Return what the run was, of those on the systems of a backend, that most tests passed; None if there is none."""
    runs = [run for system, run in read().items() if system.startswith(backend)]
    if not runs:
        return None
    run = max(runs, key=lambda run: int(run["passed"]))
    passed, failed = int(run["passed"]), int(run["failed"])
    return f"{run['what']} ({failed} of {passed + failed} tests failed)" if failed else str(run["what"])


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    record(sys.argv[1], sys.argv[2], [sys.argv[3]], commit())
