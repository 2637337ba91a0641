"""Start children from a process that holds 200 MiB, by subprocess alone; print each one's peak and if it is its own.

Arguments: small or large (a child that touches little, or 100 MiB and the kernel's error more than this process), and
how many children.
"""

import os
import subprocess
import sys

import rusage
from rusage._children.inherited import child_fields, peak_margin, read_inherited
from rusage._memory import known_peak

MIB = 2**20

kind, count = sys.argv[1], int(sys.argv[2])
held = b"x" * (200 * MIB)
# This process's peak may be larger than `held`: it starts at the peak of the process that started this one.
size = known_peak() + 100 * MIB + (peak_margin() or 0) if kind == "large" else MIB
for _ in range(count):
    floor = known_peak()
    child = subprocess.Popen([sys.executable, "-S", "-c", f"b'x' * {size}"])
    inherited = read_inherited(child.pid)
    floor = max(floor, known_peak())
    _, status, usage = rusage.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(usage.ru_maxrss, "ru_maxrss" in child_fields(usage, floor=floor, inherited=inherited))
