"""Change what protects this process from others, and print whether it then uses the launcher.

``python protection.py CHANGE [start]``, as root on Linux. ``start``: print instead whether starting a program as
another user ends as in subprocess.
"""

import ctypes
import os
import subprocess
import sys
from typing import Any

import rusage
import rusage._children.launcher_availability as availability

SETGID, SETUID, SETPCAP = 6, 7, 8  # capabilities
NOROOT, NO_SETUID_FIXUP = 1, 4  # securebits
PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_CAP_AMBIENT = (
    *(4, 8, 23, 24),
    *(28, 47),
)

libc = ctypes.CDLL(None, use_errno=True)


def prctl(*arguments: int) -> int:
    """Make the system call of this name, which must succeed."""
    result: int = libc.prctl(*map(ctypes.c_ulong, [*arguments, 0, 0, 0, 0][:5]))
    assert result >= 0, (arguments, os.strerror(ctypes.get_errno()))
    return result


class Header(ctypes.Structure):
    """``struct __user_cap_header_struct``."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


Sets = ctypes.c_uint32 * 6  # effective, permitted and inheritable, of the lower and then of the higher capabilities


def change_sets(effective: int, permitted: int, inheritable: int = 0) -> None:
    """Remove all capabilities from the sets of this process that are not in these."""
    header, sets = Header(0x20080522, 0), Sets()
    assert libc.capget(ctypes.byref(header), sets) == 0
    asked = effective, permitted, inheritable
    for index in range(6):
        sets[index] &= asked[index % 3] >> 32 * (index // 3)
    if inheritable:
        sets[2], sets[5] = inheritable & sets[1], inheritable >> 32 & sets[4]
    assert libc.capset(ctypes.byref(header), sets) == 0, os.strerror(ctypes.get_errno())


ALL = 2**64 - 1
CHANGE_IDS = 1 << SETUID | 1 << SETGID


def nothing() -> None:
    """Change nothing."""


def dumpable() -> None:
    """Allow no process without privileges to trace this one."""
    prctl(PR_SET_DUMPABLE, 0)


def user() -> None:
    """Change one user ID only."""
    os.seteuid(65534)


def group() -> None:
    """Change one group ID only."""
    os.setegid(65534)


def other() -> None:
    """Become another user, who may be traced."""
    os.setgroups([])
    os.setresgid(5, 5, 5)
    os.setresuid(5, 5, 5)
    prctl(PR_SET_DUMPABLE, 1)


def keepcaps() -> None:
    """Become another user with all capabilities."""
    prctl(PR_SET_KEEPCAPS, 1)
    other()


def noroot() -> None:
    """Be a root whose programs get no capabilities."""
    prctl(PR_SET_SECUREBITS, NOROOT)


def noroot_ambient() -> None:
    """Be a root whose programs get its capabilities all the same."""
    noroot()
    change_sets(ALL, ALL, ALL)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0:
            libc.prctl(PR_CAP_AMBIENT, 2, capability, 0, 0)  # PR_CAP_AMBIENT_RAISE


def noroot_none() -> None:
    """Be a root that has no capabilities, as its programs."""
    noroot()
    change_sets(0, 0)


def none() -> None:
    """Be a root without capabilities, whose programs have all."""
    change_sets(0, 0)


def no_setuid() -> None:
    """Be a root that may not change its IDs, whose programs may."""
    change_sets(ALL & ~CHANGE_IDS, ALL & ~CHANGE_IDS)


def no_setuid_ever() -> None:
    """Be a root that may not change its IDs, as its programs."""
    for capability in SETUID, SETGID:
        prctl(PR_CAPBSET_DROP, capability)
    no_setuid()


def not_bounding() -> None:
    """Be a root that has a capability which its programs do not have."""
    prctl(PR_CAPBSET_DROP, SETUID)


def not_effective() -> None:
    """Be a root that could have more capabilities than are in effect."""
    change_sets(0, ALL)


def outcome(module: Any) -> object:
    """Return how a program ends that is started as another user."""
    try:
        return module.run(["true"], user=65534).returncode
    except OSError as error:
        return type(error), error.errno, error.filename


CHANGES = [nothing, dumpable, user, group, other, keepcaps, noroot, noroot_ambient, noroot_none, none]
CHANGES += [no_setuid, no_setuid_ever, not_bounding, not_effective]

if sys.platform == "linux" and __name__ == "__main__":
    assert availability.usable(other_ids=False)
    rusage.run(["true"])
    {change.__name__: change for change in CHANGES}[sys.argv[1]]()
    if sys.argv[2:]:
        ours, theirs = outcome(rusage), outcome(subprocess)
        print("same" if ours == theirs else (ours, theirs))
    else:
        print(availability.usable(other_ids=False))
