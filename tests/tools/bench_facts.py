"""Print as evidence what a program in C showed that was the first program of its kernel.

``python tests/tools/bench_facts.py SYSTEM RELEASE MACHINE <CONSOLE >FILE``. A row of the console
has the least value of a field in an action, the one that was seen, and the most; or the peaks of
children; or a child's last reading and wait4(2).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import facts


def rows(console: str) -> dict[str, list[int]]:
    """Return the numbers of each row, by its action and its field."""
    found, action = {}, ""
    for line in console.splitlines():
        row = re.match(r"(\S.*?|) {2,}([a-z]* *)(-?\d[-\d. ]*\d)[ a-z]*$", line)
        if row:
            action = row[1] or action
            numbers = [round(float(number)) for number in row[3].split()]
            found[f"{action} {row[2]}".strip()] = numbers
    return found


def shown(row: dict[str, list[int]]) -> list[facts.Fact]:
    """Return the facts that the rows show."""
    found = []

    def add(name: str, value: str | None, source: str) -> None:
        found.append(facts.Fact(name, value, f"{source}: {row[source]}"))

    for name, source, value in [
        ("ru_minflt: touched pages", "touch 64 MiB minflt", "each page"),
        ("ru_maxrss: unit", "touch 64 MiB maxrss", "KiB"),
        ("ru_nvcsw: sleeps", "10 sleeps nvcsw", "counted"),
        ("ru_nivcsw: competition", "1 s beside another busy process nivcsw", "counted"),
        ("ru_inblock: unit", "read a file of 2 MiB inblock", "operations"),
    ]:
        add(name, value if row[source][1] else "0", source)
    for name in facts.INTEGRALS:  # more than 0 may be a size
        add(f"{name}: with CPU time", None if row[name[3:]][1] else "0", name[3:])
    sent, piped = "10 messages by a pair of sockets msgsnd", "10 messages by a pipe msgsnd"
    add("ru_msgsnd: messages", facts.MESSAGES.get((row[sent][1], row[piped][1])), sent)
    handled, ignored = "10 signals with a handler nsignals", "10 ignored signals nsignals"
    add("ru_nsignals: signals", facts.SIGNALS.get((row[handled][1], row[ignored][1])), handled)
    own, waited = row["minflt"]
    add("wait4: last reading", "equal" if waited < 1.1 * own else "doubled", "minflt")
    if row["touch 64 MiB maxrss"][1]:
        forked, executed = (
            "parent 64 MiB, fork only",
            "parent small again (peak 64 MiB), fork, exec",
        )
        # Of the one, the parent's peak is its size: a large figure may be either.
        own_peak = facts.kind_of_peak(row[forked][-2] / 65536) == "its own"
        add("ru_maxrss: forked child", "its own" if own_peak else None, forked)
        add("ru_maxrss: child after exec", facts.kind_of_peak(row[executed][-2] / 65536), executed)
    return found


system, release, machine = sys.argv[1:]
found = shown(rows(sys.stdin.read()))
print(facts.evidence(system, release, machine, "none: a program in C", found))
