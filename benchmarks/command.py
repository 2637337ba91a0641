"""Compare the times and peaks of ``rusage -n`` with hyperfine's and GNU time's: ``tox -e bench``.

The programs are run in turn.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

SCRIPT = os.path.join(os.path.dirname(sys.executable), "rusage")
RUSAGE = [SCRIPT] if os.path.exists(SCRIPT) else [sys.executable, "-m", "rusage"]
LOOP = "i=0; while [ $i -lt {} ]; do i=$((i + 1)); done"
# The programs, the number of runs in a turn, and the number of turns.
PROGRAMS = {
    "1 ms": (["true"], 20, 15),
    "50 ms, sleeps": (["sleep", "0.05"], 4, 10),
    "50 ms, computes": (["sh", "-c", LOOP.format(70_000)], 4, 10),
    "1 s, sleeps": (["sleep", "1"], 1, 7),
    "1 s, computes": (["sh", "-c", LOOP.format(1_400_000)], 1, 7),
}


def output(*words: str) -> str:
    """Run a program and return what it writes to its report file, which is its last argument."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as report:
        command = [report.name if word == "REPORT" else word for word in words]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return report.read()


def by_hyperfine(command: list[str], runs: int) -> list[float]:
    """Return the wall times of runs by hyperfine without a shell, in seconds."""
    words = shlex.join(command)
    text = output(
        "hyperfine", "-N", "--warmup", "0", "--runs", str(runs), "--export-json", "REPORT", words
    )
    times: list[float] = json.loads(text)["results"][0]["times"]
    return times


def by_rusage(command: list[str], runs: int) -> tuple[list[float], list[int]]:
    """Return the wall times of a series, in seconds, and its peaks, in KiB."""
    text = output(*RUSAGE, "--json", "-o", "REPORT", "-n", str(runs), "--", *command)
    made = json.loads(text)["runs"]
    sizes = [run["usage"].get("ru_maxrss", 0) // 1024 for run in made]
    return [run["elapsed"] for run in made], sizes


def by_gnu_time(command: list[str]) -> int:
    """Return the peak of a run by GNU time, in KiB."""
    return int(output("time", "-o", "REPORT", "-f", "%M", *command))


def has_gnu_time() -> bool:
    """Return whether the program ``time`` is GNU time."""
    path = shutil.which("time")
    if path is None:
        return False
    done = subprocess.run([path, "--version"], capture_output=True, check=False)
    return b"GNU" in done.stdout


def wall_times() -> None:
    """Print the wall times by both."""
    print("| wall time, ms | least | median | quartiles |\n| --- | --- | --- | --- |")
    for what, (command, runs, turns) in PROGRAMS.items():
        theirs: list[float] = []
        ours: list[float] = []
        for _ in range(turns):
            theirs += by_hyperfine(command, runs)
            ours += by_rusage(command, runs)[0]
        for name, values in ("hyperfine -N", theirs), ("rusage -n", ours):
            first, middle, third = (value * 1000 for value in statistics.quantiles(values, n=4))
            least = min(values) * 1000
            row = f"{least:.2f} | {middle:.2f} | {first:.2f} to {third:.2f}"
            print(f"| `{name}`, {what} | {row} |")


def peaks() -> None:
    """Print the peak of a small program by both."""
    theirs = [by_gnu_time(["true"]) for _ in range(20)]
    _, ours = by_rusage(["true"], 20)
    print("| peak of `true`, KiB | least | median | most |\n| --- | --- | --- | --- |")
    for name, values in ("GNU time", theirs), ("`rusage -n 20 -- true`", ours):
        print(f"| {name} | {min(values)} | {statistics.median(values):.0f} | {max(values)} |")


def main() -> None:
    """Print the tables of the programs that this system has."""
    if shutil.which("hyperfine"):
        wall_times()
    else:
        print("there is no hyperfine")
    print()
    if has_gnu_time():
        peaks()
    else:
        print("there is no GNU time")


if __name__ == "__main__":
    main()
