"""Change what protects this process from others, and print whether it then uses the launcher.

``python protection.py (nothing|dumpable|user|group|keepcaps|other)``, as root on Linux.
"""

import ctypes
import os
import sys

import rusage._children.launcher as launch

PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 4, 8

libc = ctypes.CDLL(None)
change = sys.argv[1]
assert launch.usable(other_ids=False)
if change == "dumpable":
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
if change == "user":
    os.seteuid(65534)
if change == "group":
    os.setegid(65534)
if change == "keepcaps":
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
if change in {"keepcaps", "other"}:
    os.setgroups([])
    os.setresgid(5, 5, 5)
    os.setresuid(5, 5, 5)
if change == "other":
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
print(launch.usable(other_ids=False))
