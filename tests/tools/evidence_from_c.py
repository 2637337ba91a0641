"""Make evidence of what a program in C has printed on a kernel without Python.

``python tests/tools/evidence_from_c.py docs/evidence/SYSTEM-RELEASE-MACHINE.json <PRINTED`` writes
the file. The program tries what the tables below name, and prints lines of three kinds:

- an action, a field, and three numbers: the least growth allowed, the growth, the largest allowed;
- an action of several children, their number and, last, the largest peak and the largest allowed,
  in KiB;
- under "A child's last reading", a field and its value there and by wait4.
"""

import json
import re
import sys
import time
from pathlib import Path

# The line, and what it shows if its growth is one that is allowed.
GROWTHS = {
    ("touch 64 MiB", "minflt"): ("ru_minflt: touched pages", "each page"),
    ("touch 64 MiB", "maxrss"): ("ru_maxrss: unit", "KiB"),
    ("10 sleeps", "nvcsw"): ("ru_nvcsw: sleeps", "counted"),
    ("1 s beside another busy process", "nivcsw"): ("ru_nivcsw: competition", "counted"),
    ("read a file of 2 MiB", "inblock"): ("ru_inblock: unit", "operations"),
    ("10 messages by a pair of sockets", "msgsnd"): ("ru_msgsnd: messages", "sockets"),
    ("10 signals with a handler", "nsignals"): ("ru_nsignals: signals", "handled"),
}
PEAKS = {
    # The parent's peak is its size.
    "parent 64 MiB, fork only": ("ru_maxrss: forked child", None),
    "parent small again (peak 64 MiB), fork, exec": (
        "ru_maxrss: child after exec",
        "the parent's peak",
    ),
}
PARENT = 64 * 1024  # KiB


def facts(printed: str) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}

    def show(name: str, value: str | None, what: str, numbers: list[int]) -> None:
        found[name] = {"value": value, "seen": f"{what}: {numbers}"}

    before, _, after = printed.partition("A child's last reading")
    action = ""
    for label, numbers in map(parted, before.splitlines()):
        start, _, field = label.rpartition(" ")
        action = start.strip() or action
        if len(numbers) == 3 and (action, field) in GROWTHS:
            name, value = GROWTHS[action, field]
            least, growth, most = numbers
            is_allowed = least <= growth <= most
            shown = (value if growth else "0") if is_allowed else None
            show(name, shown, f"{action} {field}", numbers)
        elif len(numbers) >= 5 and label in PEAKS:
            name, inherited = PEAKS[label]
            show(name, "its own" if numbers[-2] < PARENT * 0.4 else inherited, label, numbers)
    last = dict(map(parted, after.splitlines()))
    for field in ("ixrss", "idrss", "isrss"):
        show(f"ru_{field}: with CPU time", None if any(last[field]) else "0", field, last[field])
    own, waited = last["minflt"]
    value = {own: "equal", 2 * own: "doubled"}.get(waited, "different")
    show("wait4: last reading", value, "minflt", last["minflt"])
    return found


def parted(line: str) -> tuple[str, list[int]]:
    found = re.fullmatch(r"(.*?)((?: +-?[0-9.]+)*)(?: +doubled)? *", line)
    words, numbers = (found[1], found[2].split()) if found else (line, [])
    return words.strip(), [round(float(number)) for number in numbers]


def main() -> None:
    path = Path(sys.argv[1])
    system, release, machine = path.stem.split("-")
    said = {
        "system": system,
        "release": release,
        "machine": machine,
        "interpreter": "none: a program in C",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "facts": facts(sys.stdin.read()),
    }
    path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
