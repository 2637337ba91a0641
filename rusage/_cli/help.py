"""The help of the command, from which its options, manual page, completions and page are made."""

from __future__ import annotations

import re
from typing import NamedTuple

SUMMARY = "Report the resource usage of a command; without one, of rusage itself."

HELP = f"""\
usage: rusage [option ...] [--] [command [argument ...]]
{SUMMARY}

Used most:
  -n, --runs RUNS              run the command RUNS times, report statistics
      --compare                compare commands (3 s each, no shell)
  -o, --output FILE            write the report to FILE, not to standard error
      --json                   print one JSON object with exact numbers
      --export FILE            also report to FILE, .json, .csv or .md
  -h, --help                   print this help and exit

Series of runs (--runs and --compare):
      --warmup N               make N unreported runs first
      --prepare COMMAND        run COMMAND before each run, without a shell
      --show-output            do not hide output on terminals, show no progress
      --ignore-failure         continue after a run that fails, and count it
      --markdown               print a Markdown table, a row for each command
      --csv                    print comma-separated values, a row for each run

The program and its descendants:
      --tree                   sample the memory of all processes together
      --interval SECONDS       seconds between two samples (0.01)
      --samples FILE           write the samples to FILE as CSV; implies --tree
      --plot FILE              draw them: .png, .svg or .pdf; implies --tree
      --pid PID                report a running process, instead of a command

Limits (exit status 123 if exceeded):
      --limit-maxrss SIZE      limit on the peak of its largest process
      --limit-tree-rss SIZE    limit on all processes together, like 500MiB
      --kill                   kill all when a sample exceeds --limit-tree-rss
      --limit-cputime SECONDS  limit on user and system time together

Reports of GNU time 1.9:
  -f, --format FORMAT          report in FORMAT: letters, or %{{ru_maxrss}}
  -p, --portability            report real, user and system time as in POSIX
  -v, --verbose                report all figures, regardless of -f and -p
  -q, --quiet                  leave out the line about a failure

Other options:
  -a, --append                 append to FILE, with the command in text reports
      --info                   print the facts for a bug report and exit
  -V, --version                print the version and exit

Examples:
  rusage --tree make -j4
  rusage -n 20 -- ./test
  rusage -n 20 --compare 'sort a.txt' 'sort -S 10M a.txt'
  rusage --tree --json -o usage.json make -j4
  rusage -f '%e %M' ./test
  rusage --limit-tree-rss 500MiB --kill make -j4
  rusage -n 20 --limit-maxrss 500MiB -- ./test"""


class Option(NamedTuple):
    """An option, and its line in the help."""

    letter: str
    """Without the dash; empty if there is none."""
    name: str
    value: str
    """The name of the value; empty if there is none."""
    text: str


def _parsed(section: str) -> tuple[str, list[Option]]:
    """Return the title of a section of the help, and its options."""
    title, _, lines = section.partition(":\n")
    return title, [Option(*found) for found in re.findall(r"  (?:-(\w),|   ) --([\w-]+) ?(\w*) +(.+)", lines)]


OPTIONS = dict(map(_parsed, HELP.split("\n\n")[1:-1]))
EXAMPLES = HELP.partition("Examples:\n  ")[2].split("\n  ")


def spelling(option: Option) -> list[str]:
    """Return the ways to write an option."""
    return [*([f"-{option.letter}"] if option.letter else []), f"--{option.name}"]


SPELLINGS = {spelled: option.name for group in OPTIONS.values() for option in group for spelled in spelling(option)}
