"""The last run of the suite on each system: ``docs/runs.json``, the source of the table on the development page.

The programs in this folder that run the suite record their runs if they get ``--record``. A run elsewhere is recorded
by hand, with the last line that pytest has printed. Then ``platform_tables.py`` writes the tables::

    python tests/tools/runs.py "FreeBSD 15.1 x86_64, CPython 3.13" "a real kernel" "624 passed, 83 skipped in 98.76s"

The system starts with the name of its backend. The second argument names the part of the suite and the machine; after
a semicolon, it may have a remark.
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
# pytest's last line, which may stand between equals signs. A run that was stopped has a line of these marks before it.
SUMMARY = re.compile(r"(?:^|= )((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b")
STOPPED = "!!!!"

HEAD = ["system", "what has been run", "date", "commit", "passed", "failed", "skipped", "known to fail"]


class Run(NamedTuple):
    """How a run of the suite ended."""

    status: int
    lines: list[str]


def new_folder(usage: str | None) -> Path:
    """Return the folder that the first argument of the program names, which must not exist; end without an argument."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(usage)
    folder = Path(sys.argv[1]).resolve()
    if folder.exists():
        sys.exit(f"{folder} exists already")
    return folder


def take_option(arguments: list[str]) -> str | None:
    """Remove ``--record``, which is for runs of the whole suite; return the commit to record, None without it."""
    if "--record" not in arguments:
        return None
    arguments.remove("--record")
    if arguments:
        sys.exit("--record is for a run of the whole suite, without other arguments")
    return commit()


def watch(command: Sequence[str], timeout: float | None = None, env: Mapping[str, str] | None = None) -> Run:
    """Run a command and pass its output on; kill it after some seconds, or if this program is interrupted."""
    lines = []

    def stop() -> None:
        print(f"killed after {timeout} seconds", flush=True)
        process.kill()

    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        timer = threading.Timer(timeout or threading.TIMEOUT_MAX, stop)
        timer.daemon = True
        timer.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                text = line.decode(errors="replace").rstrip("\r\n")
                print(text, flush=True)
                lines.append(text)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
    return Run(status, lines)


def counts(lines: Sequence[str]) -> dict[str, int]:
    """Return how many tests have passed, failed and so on, by the last of pytest's summaries.

    Empty without one, and if pytest was stopped before it had run all tests.
    """
    for at in reversed(range(len(lines))):
        found = SUMMARY.search(lines[at])
        if found:
            if any(line.startswith(STOPPED) for line in lines[max(at - 3, 0) : at]):
                return {}
            numbers = {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", found[1])}
            numbers["failed"] = numbers.get("failed", 0) + sum(numbers.pop(name, 0) for name in ("error", "errors"))
            return {name: numbers.get(name, 0) for name in COUNTS}
    return {}


def commit(folder: Path = ROOT) -> str:
    """Return the commit that is checked out, with "and changes" if files outside of docs have changed or are new."""
    git = ["git", "-C", str(folder)]
    name = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], check=True, capture_output=True, text=True).stdout
    status = [*git, "status", "--porcelain", "--", ".", ":!docs", ":!README.md"]
    changed = subprocess.run(status, check=True, capture_output=True).stdout
    return name.strip() + (" and changes" if changed else "")


def record(system: str, what: str, lines: Sequence[str], tested: str) -> None:
    """Replace what is known of a system by a run of today; the lines are pytest's output, ``tested`` is the commit."""
    numbers = counts(lines)
    if not numbers:
        sys.exit(f"{system}: pytest has printed no summary of a complete run, so nothing is recorded")
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
    """Return what the run was, of those on the systems of a backend, that most tests passed, without the remark.

    None if there is none.
    """
    runs = [run for system, run in read().items() if system.startswith(backend)]
    if not runs:
        return None
    run = max(runs, key=lambda run: int(run["passed"]))
    passed, failed = int(run["passed"]), int(run["failed"])
    what = str(run["what"]).partition(";")[0]
    return f"{what} ({failed} of {passed + failed} tests failed)" if failed else what


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    record(sys.argv[1], sys.argv[2], [sys.argv[3]], commit())
