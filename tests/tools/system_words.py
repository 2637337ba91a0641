"""The systems, and what the tables say of a backend in words."""

import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from rusage._backends import _base, illumos, linux, macos, unknown
from rusage._backends._base import ALL, BLOCKS, INTEGRALS, SWITCHES, TIMES, Backend
from rusage._fields import FIELDS

sys.path.insert(0, str(Path(__file__).parent.parent))

from expected import BACKENDS, newest

# The newest release of each, whatever runs here.
BY_MODULE = {module: newest(module) for module in BACKENDS}
KNOWN = list(BY_MODULE.values())
ANOTHER = unknown.backend("another Unix")
SYSTEMS: list[Backend] = [*KNOWN, ANOTHER]


class Documentation(NamedTuple):
    """What only the documentation says of a system."""

    sources: Mapping[str, str]
    """Where the kernel updates each field, or where the system's documentation describes it."""
    clock: str = ""
    """When and how the kernel updates the user and the system time."""
    resolution: str = "microseconds"
    """The usual difference between two readings of these times, in a word."""
    process_clock: str = ""
    """The resolution of another process's times by ``getrusage()``.

    ``cputime()``'s follows, if it differs.
    """
    process_owners: str = ""
    """Whose processes can be read."""


FAULTS = {"ru_minflt", "ru_majflt"}
MESSAGES = {"ru_msgsnd", "ru_msgrcv"}
RUSAGESYS = "usr/src/uts/common/syscall/rusagesys.c"  # of illumos
DOCUMENTATION = {
    "linux": Documentation(
        sources={
            **dict.fromkeys(ALL, "getrusage() in kernel/sys.c"),
            **dict.fromkeys(linux.UNMAINTAINED, "getrusage(2): unmaintained"),
            **dict.fromkeys(BLOCKS, "include/linux/task_io_accounting_ops.h, proc_pid_io(5)"),
            **dict.fromkeys(TIMES, "cputime_adjust() in kernel/sched/cputime.c"),
            "ru_maxrss": "getrusage() in kernel/sys.c, "
            "exec_mmap() in fs/exec.c (7.3: exec_mm_put_old()), lib/percpu_counter.c",
        },
        clock=(
            f"{linux.SPLIT}, except on architectures that account for it precisely, such as s390x, "
            "where both advance at ticks, and on CPUs of `nohz_full`, which take it at each "
            "transition between user and kernel mode; without any tick in the kernel, all of it is "
            "user time, and with such ticks only, all is system time"
        ),
        process_clock="10 ms, 1 ns",
        process_owners="everyone's, unless `hidepid` is set",
    ),
    "macos": Documentation(
        sources={
            **dict.fromkeys(ALL, "calcru() in bsd/kern/kern_resource.c"),
            **dict.fromkeys(macos.UNMAINTAINED, "bsd/sys/resource.h; never updated"),
            "ru_maxrss": "resident_size_max of MACH_TASK_BASIC_INFO: osfmk/kern/task.c",
            "ru_inblock": "bio_doread() in bsd/vfs/vfs_bio.c",
            "ru_oublock": "bsd/vfs/vfs_bio.c",
            "ru_msgsnd": "sosend() in bsd/kern/uipc_socket.c",
            "ru_msgrcv": "soreceive() in bsd/kern/uipc_socket.c",
            "ru_nsignals": "bsd/kern/kern_sig.c",
            "ru_nvcsw": "_sleep() in bsd/kern/kern_synch.c",
        },
        process_clock="Mach ticks: 1 ns, or 42 ns on Apple silicon",
        process_owners="one's own; root: everyone's",
    ),
    "freebsd": Documentation(
        sources={
            **dict.fromkeys(ALL, "rufetch() in sys/kern/kern_resource.c"),
            **dict.fromkeys(INTEGRALS | {"ru_maxrss"}, "statclock() in sys/kern/kern_clock.c"),
            **dict.fromkeys(TIMES, "calcru1() in sys/kern/kern_resource.c"),
            "ru_nswap": "nothing in the kernel of 15.1 increments it",
            **dict.fromkeys(
                BLOCKS,
                "sys/kern/vfs_bio.c, sys/kern/vfs_cluster.c, "
                "sys/contrib/openzfs/module/os/freebsd/zfs/zfs_racct.c",
            ),
            **dict.fromkeys(MESSAGES, "sys/kern/uipc_socket.c; pipes: measured on FreeBSD 15.1"),
            "ru_nsignals": "postsig_done() in sys/kern/kern_sig.c",
        },
        process_clock="1 microsecond",
        process_owners="everyone's, unless `security.bsd` forbids it",
    ),
    "openbsd": Documentation(
        sources={
            **dict.fromkeys(ALL, "sys/kern/kern_resource.c"),
            **dict.fromkeys(INTEGRALS, "statclock() in sys/kern/kern_clock.c"),
            **dict.fromkeys(TIMES, "calctsru() in sys/kern/kern_resource.c"),
            "ru_maxrss": "uvmfault_update_stats() in sys/uvm/uvm_fault.c",
            "ru_nswap": "never updated",
            **dict.fromkeys(BLOCKS, "sys/kern/vfs_bio.c"),
            **dict.fromkeys(MESSAGES, "sys/kern/uipc_socket.c"),
            "ru_nsignals": "postsig_done() in sys/kern/kern_sig.c",
            **dict.fromkeys(SWITCHES, "sys/kern/kern_synch.c, sys/kern/sched_bsd.c"),
        },
        resolution="ticks",
        process_clock="ticks of the statistics clock",
        process_owners="everyone's",
    ),
    "netbsd": Documentation(
        sources={
            **dict.fromkeys(ALL, "getrusage1() in sys/kern/kern_resource.c"),
            **dict.fromkeys(INTEGRALS, "ruspace() in sys/kern/kern_resource.c"),
            **dict.fromkeys(TIMES, "calcru() in sys/kern/kern_resource.c"),
            "ru_maxrss": "ruspace() in sys/kern/kern_resource.c, "
            "uvmfault_update_stats() in sys/uvm/uvm_fault_i.h, "
            "exit1() in sys/kern/kern_exit.c",
            **dict.fromkeys(FAULTS, "sys/uvm/uvm_fault.c"),
            "ru_nswap": "never updated",
            **dict.fromkeys(BLOCKS, "sys/kern/vfs_bio.c"),
            **dict.fromkeys(MESSAGES, "sys/kern/uipc_socket.c"),
            "ru_nsignals": "sys/kern/kern_sig.c",
        },
        process_clock="1 microsecond",
        process_owners="everyone's",
    ),
    "dragonfly": Documentation(
        sources={
            **dict.fromkeys(ALL, "sys/kern/kern_resource.c"),
            **dict.fromkeys(INTEGRALS | {"ru_maxrss"}, "schedclock() in sys/kern/kern_clock.c"),
            "ru_nswap": "swapout() in sys/vm/vm_glue.c",
            **dict.fromkeys(MESSAGES, "sys/kern/uipc_socket.c"),
            "ru_nivcsw": "updated in sys/kern/usched_dummy.c only",
        },
        resolution="ticks",
        process_clock="ticks of the statistics clock",
        # sysctl_kern_proc() in sys/kern/kern_proc.c: within a jail, the jail's
        process_owners="everyone's",
    ),
    "illumos": Documentation(
        sources={
            **dict.fromkeys(ALL, RUSAGESYS),
            **dict.fromkeys(illumos.UNSET, "getrusage(3C): set to 0 in this implementation"),
            "ru_minflt": "usr/src/uts: added up, but incremented nowhere",
            **dict.fromkeys(BLOCKS | MESSAGES, f"getrusage(3C), {RUSAGESYS}"),
        },
        clock="taken at each transition between the states of a thread (microstate accounting)",
    ),
    "windows": Documentation(
        sources={
            **dict.fromkeys(ALL, "no documented call reports it"),
            **dict.fromkeys(TIMES, "GetProcessTimes, GetThreadTimes"),
            "ru_maxrss": "PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS",
            "ru_minflt": "PageFaultCount of PROCESS_MEMORY_COUNTERS",
            **dict.fromkeys(BLOCKS, "IO_COUNTERS"),
        },
        resolution="15.6 ms",
        process_clock="15.625 ms",
        process_owners="those that `OpenProcess` allows",
    ),
    "unknown": Documentation(
        sources={
            **dict.fromkeys(ALL, "no unit is specified"),
            **dict.fromkeys(unknown.COUNTERS, "4.3BSD"),
            **dict.fromkeys(TIMES, "POSIX"),
        },
    ),
}


def documentation(backend: Backend) -> Documentation:
    """Return what is said above of a system, whose module may say how the times are updated."""
    module = next(
        (module for module, each in BY_MODULE.items() if each.name == backend.name), "unknown"
    )
    constants = vars(importlib.import_module(f"rusage._backends.{module}"))
    clock = constants.get("CLOCK", DOCUMENTATION[module].clock)
    return DOCUMENTATION[module]._replace(clock=clock)


TIERS = {
    1: "the suite passes before each change lands",
    2: "the suite has passed on its kernel "
    "([table of runs](../.github/CONTRIBUTING.md#where-the-suite-has-been-run))",
    3: "only parts have run on its kernel",
    4: "only compiled; what is said of it is from its source code or documentation",
}
# The tier of each system, and a word on it.
TESTED = {
    "Linux": (1, "6.18, x86_64"),
    "macOS": (4, ""),
    "FreeBSD": (2, ""),
    "OpenBSD": (2, ""),
    "NetBSD": (2, "a development kernel of 2019"),
    "DragonFly BSD": (3, ""),
    "illumos": (4, ""),
    "Windows": (4, ""),
}
# What belongs to another tier than its system.
APART = {
    1: ["Windows under Wine"],
    2: ["Linux 5.10, 6.1, 6.12 and 7.2", "Linux with musl"],
    3: ["Linux on aarch64, i386, ppc64el and s390x"],
    4: ["Linux on arm and riscv64"],
}


ABOVE_TOUCHED = (
    "if it exceeds what a child may touch before it executes its program: "
    f"{_base.TOUCHED // 2**20} MiB, and {_base.TOUCHED_PAGES} pages for each argument and "
    "environment variable; the integrals are not measured"
)

# The same for the command, in a few words.
PEAKS_OF_PROGRAMS = {
    _base.PEAK_OWN: "yes",
    _base.PEAK_AT_LEAST_PARENTS: "above `rusage`'s own",
    _base.PEAK_AT_LEAST_PARENTS_INEXACT: "yes",
    _base.PEAK_SAMPLED: "sampled",
    _base.PEAK_TOUCHED: f"from {_base.TOUCHED // 2**20} MiB on",
    _base.PEAK_TOUCHED_SAMPLED: f"from {_base.TOUCHED // 2**20} MiB on, sampled",
    _base.PEAK_NONE: "-",
}
# When the own peak of a child is known, by the rule of ``Backend.child_peak``.
PEAKS = {
    _base.PEAK_OWN: "always; it is the child's own",
    _base.PEAK_AT_LEAST_PARENTS: "if it exceeds the largest peak of this process",
    _base.PEAK_AT_LEAST_PARENTS_INEXACT: (
        "if the child was started through the launcher; otherwise only in "
        "[some cases](launcher.md#without-the-launcher)"
    ),
    _base.PEAK_SAMPLED: (
        "if it exceeds the value at the time when the child executed its program; "
        "the integrals: if they had not been sampled until then"
    ),
    **dict.fromkeys(_base.TOUCHED_RULES, ABOVE_TOUCHED),
}

GROUPS = {
    "times": TIMES,
    "peak": {"ru_maxrss"},
    "faults": FAULTS,
    "block I/O": BLOCKS,
    "switches": SWITCHES,
    "messages": MESSAGES,
    "signals": {"ru_nsignals"},
    "swaps": {"ru_nswap"},
}


def table(head: list[str], rows: Iterable[Iterable[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def listed(fields: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in FIELDS if name in set(fields))


def unit(backend: Backend, name: str) -> str:
    if name not in backend.measured["RUSAGE_SELF"]:
        return "-"
    return backend.units.get(name, FIELDS[name].unit)


def grouped(fields: frozenset[str]) -> str:
    return ", ".join(name for name, group in GROUPS.items() if group & fields) or "-"
