"""Change what a program inherits or may do, and print whether this process then uses the launcher.

``python protection.py CHANGE``, as root on Linux.
"""

import ctypes
import os
import resource
import sys

import rusage

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


def fsuid() -> None:
    """Change the user ID that decides which files may be executed."""
    prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP)
    libc.setfsuid(65534)
    prctl(PR_SET_DUMPABLE, 1)


def fsgid() -> None:
    """Change the group ID that decides which files may be executed."""
    libc.setfsgid(65534)
    prctl(PR_SET_DUMPABLE, 1)


def personality() -> None:
    """Make readable memory executable, which a 32-bit program of a 64-bit parent inherits (READ_IMPLIES_EXEC)."""
    assert libc.personality(0x0400000) >= 0


def stack() -> None:
    """Have a small stack."""
    resource.setrlimit(resource.RLIMIT_STACK, (255 * 1024, resource.getrlimit(resource.RLIMIT_STACK)[1]))


CHANGES = [nothing, dumpable, user, group, other, keepcaps, noroot, noroot_ambient, noroot_none, none]
CHANGES += [no_setuid, no_setuid_ever, not_bounding, not_effective, fsuid, fsgid, personality, stack]

if sys.platform == "linux" and __name__ == "__main__":
    assert "ru_maxrss" in rusage.run(["true"]).measured
    {change.__name__: change for change in CHANGES}[sys.argv[1]]()
    can_read = sys.argv[1] != "other" or os.access(rusage.__file__, os.R_OK)
    print("ru_maxrss" in rusage.run(["true"]).measured if can_read else "not readable")
