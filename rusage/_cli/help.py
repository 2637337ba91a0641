"""The table of the command's options, from which its help, manual page, completions and page are made."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """An option, and its line in the help."""

    letter: str
    """Without the dash; empty if there is none."""
    name: str
    value: str
    """The name of the value; empty if there is none."""
    text: str


SUMMARY = "Report the resource usage of a command; without one, of rusage itself."

OPTIONS = {
    "Used most": [
        Option("n", "runs", "RUNS", "run the command RUNS times, report statistics"),
        Option("", "compare", "", "compare commands, run without a shell (3 s each)"),
        Option("o", "output", "FILE", "write the report to FILE, not to standard error"),
        Option("", "json", "", "print one JSON object with exact numbers"),
        Option("", "export", "FILE", "also report to FILE, .json, .csv or .md"),
        Option("h", "help", "", "print this help and exit"),
    ],
    "Series of runs (--runs and --compare)": [
        Option("", "warmup", "N", "make N unreported runs first"),
        Option("", "prepare", "COMMAND", "run COMMAND before each run, without a shell"),
        Option("", "show-output", "", "do not hide output on terminals, show no progress"),
        Option("", "ignore-failure", "", "continue after a run that fails, and count it"),
        Option("", "markdown", "", "print a Markdown table, a row for each command"),
        Option("", "csv", "", "print comma-separated values, a row for each run"),
    ],
    "The program and its descendants": [
        Option("", "tree", "", "sample the memory of all processes together"),
        Option("", "interval", "SECONDS", "seconds between two samples (0.01)"),
        Option("", "samples", "FILE", "write the samples to FILE as CSV; implies --tree"),
        Option("", "plot", "FILE", "draw them: .png, .svg or .pdf; implies --tree"),
        Option("", "pid", "PID", "report a running process, instead of a command"),
    ],
    "Limits (exit status 123 if exceeded)": [
        Option("", "limit-maxrss", "SIZE", "limit on the peak of its largest process"),
        Option("", "limit-tree-rss", "SIZE", "limit on all processes together, like 500MiB"),
        Option("", "kill", "", "kill all when a sample exceeds --limit-tree-rss"),
        Option("", "limit-cputime", "SECONDS", "limit on user and system time together"),
    ],
    "Reports of GNU time 1.9": [
        Option("f", "format", "FORMAT", "report in FORMAT: letters, or %{ru_maxrss}"),
        Option("p", "portability", "", "report real, user and system time as in POSIX"),
        Option("v", "verbose", "", "report all figures, regardless of -f and -p"),
        Option("q", "quiet", "", "leave out the line about a failure"),
    ],
    "Other options": [
        Option("a", "append", "", "append to FILE, with the command in text reports"),
        Option("", "info", "", "print the facts for a bug report and exit"),
        Option("V", "version", "", "print the version and exit"),
    ],
}

EXAMPLES = [
    ("rusage --tree make -j4", "Report the usage of a build, and the memory of all its processes together."),
    ("rusage -n 20 -- ./test", "Run a test 20 times, and report the mean and the deviation of each figure."),
    (
        "rusage -n 20 --compare 'sort a.txt' 'sort -S 10M a.txt'",
        "Compare the times and the peak memory of the largest process of two commands.",
    ),
    ("rusage --tree --json -o usage.json make -j4", "Write the usage of a build to a file."),
    ("rusage -f '%e %M' ./test", "Print the elapsed seconds and the peak of the largest process in KiB, as GNU time."),
    (
        "rusage --limit-tree-rss 500MiB --kill make -j4",
        "Kill a build when all its processes together use more than 500 MiB.",
    ),
    (
        "rusage -n 20 --limit-maxrss 500MiB -- ./test",
        "Run a test 20 times, and fail if the largest process of a run used more than 500 MiB.",
    ),
]


def spelling(option: Option) -> list[str]:
    """Return the ways to write an option."""
    return [*([f"-{option.letter}"] if option.letter else []), f"--{option.name}"]


def help_text() -> str:
    """Return what ``--help`` prints: lines of at most 80 columns."""
    lines = ["usage: rusage [option ...] [--] [command [argument ...]]", SUMMARY]
    for title, group in OPTIONS.items():
        lines += ["", f"{title}:"]
        for option in group:
            first = f"{'' if option.letter else '    '}{', '.join(spelling(option))}"
            if option.value:
                first += f" {option.value}"
            lines.append(f"  {first:<28} {option.text}")
    return "\n".join([*lines, "", "Examples:", *(f"  {example}" for example, _ in EXAMPLES)])


SPELLINGS = {spelled: option.name for group in OPTIONS.values() for option in group for spelled in spelling(option)}
