"""What each system must give: one row for each, with which all tests compare that go through the systems."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import rusage
from rusage._backends import linux
from rusage._backends._base import (
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_OWN,
    PEAK_SAMPLED,
    PEAK_UNKNOWN,
)
from rusage._backends._platforms import PLATFORMS, backend_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from rusage._backends._base import Backend

FOLDER = Path(rusage.__file__).parent / "_backends"
BACKENDS = list(dict.fromkeys(PLATFORMS.values()))  # those of the list of platforms, without "unknown"


def load(name: str, path: Path) -> ModuleType:
    """Run a module's file once more, without a trace in sys.modules."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def backend_on(name: str, platform: str, release: str) -> Backend:
    """Return a backend as it is where ``sys.platform`` and ``os.uname().release`` are these."""
    uname = mock.patch.object(os, "uname", create=True, return_value=SimpleNamespace(release=release))
    with mock.patch.object(sys, "platform", platform), uname:
        backend: Backend = load(f"rusage._backends.{name}", FOLDER / f"{name}.py").BACKEND
    return backend


def newest(name: str) -> Backend:
    """Return the backend of a system's newest kernel, which is what any other system's interpreter sees of it."""
    return backend_on(name, "unknown", "")


class System(NamedTuple):
    """A system as it must be seen."""

    platform: str
    """``sys.platform`` there."""
    release: str
    """``os.uname().release`` there."""
    measured: dict[str, str]
    """The measured fields for each ``RUSAGE_*`` of the kernel, without their prefixes."""
    becomes: dict[str, tuple[int, ...]]
    """What ``test_backends.KERNEL`` becomes, from ``ru_maxrss`` on."""
    absent: Mapping[str, str] = {}
    """The names that the system lacks, and why."""
    process: str = ""
    """The fields of another process, without their prefixes."""
    units: Mapping[str, str] = {}
    """The units that are not the uniform ones."""
    meanings: tuple[tuple[str, str], ...] = ()
    """Fields, and words of their meaning there."""
    child_peak: str = PEAK_UNKNOWN
    """Whose peak a child's is."""
    name: str = ""
    """The backend's name where it is not the row's."""
    known_backend: Backend | None = None
    """The backend where platform and release do not tell it."""

    @property
    def backend(self) -> Backend:
        """The system's backend."""
        return self.known_backend or backend_on(backend_name(self.platform), self.platform, self.release)


NO_PROCESS = {"Process": "it is not supported on this system"}
NO_THREAD = {"RUSAGE_THREAD": "its getrusage(2) knows the process and its children only"}
UNKNOWN_CALLS = {
    "Process": "it is unknown how this system reports the usage of another process",
    "RUSAGE_THREAD": "it is unknown whether this system reports the usage of a thread",
    "wait3": "it is unknown whether this system has a usable wait4(2)",
    "wait4": "it is unknown whether this system has a usable wait4(2)",
}
RUNNING = "it includes children that still run"
NOT_KEPT = "it is 0 unless the proc server records it"
NO_ACCOUNT = "it keeps no usage of children that have ended"
NO_NATIVE = "it has no native struct rusage to convert"

OF_PROC = "utime stime maxrss minflt majflt"
PLAIN = "utime stime minflt majflt inblock oublock nvcsw nivcsw"
BSD = f"{PLAIN} msgsnd msgrcv nsignals"
NO_SWITCHES = "utime stime minflt majflt inblock oublock msgsnd msgrcv nsignals"
NO_BLOCKS = "utime stime maxrss minflt majflt nvcsw nivcsw"
INTEGRALS = "ixrss idrss isrss"
MACOS = "utime stime maxrss minflt majflt msgsnd msgrcv nsignals"
BLOCKS_512 = {"ru_inblock": "512-byte units", "ru_oublock": "512-byte units"}

# 1009 KiB are 1033216 bytes; 20011 KiB-ticks at 127 Hz are 161348.53 byte-seconds.
OF_LINUX = (1033216, 0, 0, 0, 1019, 1021, 0, 1033, 1039, 0, 0, 0, 1063, 1069)
OF_MACOS = (1009, 0, 0, 0, 1019, 1021, 0, 0, 0, 1049, 1051, 1061, 0, 0)
OF_BSD = (1033216, 0, 0, 0, 1019, 1021, 0, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
OF_BSD_WITH_INTEGRALS = (1033216, 161348, 241978, 322592, 1019, 1021, 0, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
NO_PEAK = (0, 0, 0, 0, 1019, 1021, 0, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
COUNTERS_AND_SWAPS = (0, 0, 0, 0, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
ONLY_TIMES = (0,) * 14

SYSTEMS = {
    "Linux": System(
        "linux",
        "6.12.0",
        {"SELF": f"{PLAIN} maxrss", "CHILDREN": f"{PLAIN} maxrss", "THREAD": f"{PLAIN} maxrss"},
        {"SELF": OF_LINUX, "THREAD": OF_LINUX},
        process=OF_PROC,
        units=BLOCKS_512,
        meanings=(
            ("ru_ixrss", "not measured by Linux"),
            ("ru_maxrss", "at first, that of the process from which this one was started"),
            ("ru_maxrss", "for children, that of the largest child, which is at least the parent's"),
            ("ru_maxrss", "CPUs x max(32, 2 x CPUs) pages for each of three counters (96 MiB with 64 CPUs and"),
            ("ru_maxrss", "may be 0"),
        ),
        child_peak=PEAK_AT_LEAST_PARENTS_INEXACT,
        known_backend=linux.backend(io_accounting=True),
    ),
    "Linux without I/O accounting": System(
        "linux",
        "6.12.0",
        {"SELF": NO_BLOCKS, "CHILDREN": NO_BLOCKS, "THREAD": NO_BLOCKS},
        {"SELF": (1033216, 0, 0, 0, 1019, 1021, 0, 0, 0, 0, 0, 0, 1063, 1069)},
        process=OF_PROC,
        units=BLOCKS_512,
        meanings=(("ru_inblock", "not measured by Linux"),),
        child_peak=PEAK_AT_LEAST_PARENTS_INEXACT,
        name="Linux",
        known_backend=linux.backend(io_accounting=False),
    ),
    "macOS": System(
        "darwin",
        "24.5.0",
        {"SELF": MACOS, "CHILDREN": MACOS, "THREAD": "utime stime"},
        {"SELF": OF_MACOS, "CHILDREN": OF_MACOS, "THREAD": ONLY_TIMES},
        process="utime stime minflt majflt inblock oublock",
        units=BLOCKS_512,
        meanings=(
            (
                "ru_nvcsw",
                "not measured by macOS; the kernel counts calls of its sleep function, whether they block or not",
            ),
            ("ru_nivcsw", "not measured by macOS; the kernel counts all other switches, including voluntary ones"),
            ("ru_inblock", "not measured by macOS; the kernel counts only misses of its buffer cache"),
            ("ru_stime", "0 where the kernel does not split the time"),
        ),
        child_peak=PEAK_OWN,
    ),
    "iOS": System(
        "ios",
        "24.5.0",
        {"SELF": MACOS, "CHILDREN": MACOS, "THREAD": "utime stime"},
        {"SELF": OF_MACOS},
        {"Process": "iOS has no public call for the usage of another process"},
        units=BLOCKS_512,
        child_peak=PEAK_OWN,
        name="macOS",
    ),
    "FreeBSD": System(
        "freebsd15",
        "15.1-RELEASE-p1",
        dict.fromkeys(("SELF", "CHILDREN", "THREAD"), f"{BSD} maxrss {INTEGRALS}"),
        {"SELF": OF_BSD_WITH_INTEGRALS, "THREAD": OF_BSD_WITH_INTEGRALS},
        process=BSD,
        meanings=(
            ("ru_maxrss", "0 before the first tick"),
            ("ru_maxrss", "for children, that of the largest child, which may be the parent's"),
            ("ru_ixrss", "0 before the first tick"),
            ("ru_ixrss", "for children, may include the parent's"),
            ("ru_nswap", "not measured by FreeBSD"),
            ("ru_utime", "before the first tick, all of it is system time"),
        ),
        child_peak=PEAK_SAMPLED,
    ),
    "OpenBSD 7.7": System(
        "openbsd7",
        "7.7",
        dict.fromkeys(("SELF", "CHILDREN", "THREAD"), f"{BSD} maxrss"),
        {"SELF": OF_BSD},
        process="utime stime",
        meanings=(("ru_ixrss", "not measured by OpenBSD"),),
        name="OpenBSD",
    ),
    "OpenBSD 7.8": System(
        "openbsd7",
        "7.8",
        {"SELF": f"{BSD} maxrss {INTEGRALS}", "CHILDREN": f"{BSD} maxrss {INTEGRALS}", "THREAD": f"{BSD} maxrss"},
        {"SELF": OF_BSD_WITH_INTEGRALS, "THREAD": OF_BSD},
        process="utime stime",
        meanings=(
            ("ru_ixrss", "measured since OpenBSD 7.8, and not for a thread"),
            ("ru_utime", "whole ticks of the statistics clock"),
            ("ru_maxrss", "for children, that of the largest child, which may be the parent's"),
        ),
        name="OpenBSD",
    ),
    "NetBSD 9": System(
        "netbsd9",
        "9.4",
        {"SELF": BSD, "CHILDREN": BSD},
        {"SELF": NO_PEAK},
        NO_THREAD,
        process=NO_SWITCHES,
        meanings=(("ru_maxrss", "not measured by NetBSD"),),
        child_peak=PEAK_AT_LEAST_PARENTS,
        name="NetBSD",
    ),
    "NetBSD 10": System(
        "netbsd10",
        "10.1",
        # exit1() in sys/kern/kern_exit.c calls ruspace() for a child that exits.
        {"SELF": f"{BSD} maxrss", "CHILDREN": f"{BSD} maxrss"},
        {"SELF": OF_BSD, "CHILDREN": OF_BSD},
        NO_THREAD,
        process=NO_SWITCHES,
        meanings=(
            ("ru_ixrss", "not measured by NetBSD; the kernel reports the size at the time of the call"),
            ("ru_maxrss", "for children, that of the largest child, which is at least the parent's"),
        ),
        child_peak=PEAK_AT_LEAST_PARENTS,
        name="NetBSD",
    ),
    "DragonFly BSD": System(
        "dragonfly6",
        "6.4-RELEASE",
        # swapout() in sys/vm/vm_glue.c counts ru_nswap.
        {"SELF": f"{BSD} maxrss nswap", "CHILDREN": f"{BSD} maxrss nswap"},
        {"SELF": (1033216, 0, 0, 0, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069)},
        NO_THREAD | NO_PROCESS,
        meanings=(
            ("ru_maxrss", "0 before the first tick"),
            ("ru_maxrss", "for children, that of the largest child, which may be the parent's"),
            ("ru_nswap", "swap-outs of the whole process"),
            ("ru_idrss", "not measured by DragonFly BSD; the kernel counts ticks of a clock whose rate it does not"),
        ),
    ),
    "illumos": System(
        "sunos5",
        "5.11",
        {"SELF": f"{BSD} nswap", "CHILDREN": f"{BSD} nswap", "THREAD": f"{BSD} nswap"},
        {"SELF": COUNTERS_AND_SWAPS, "THREAD": COUNTERS_AND_SWAPS},
        NO_PROCESS,
        meanings=(("ru_maxrss", "not measured by illumos"),),
    ),
    "Windows": System(
        "win32",
        "",
        {"SELF": "utime stime maxrss minflt", "THREAD": "utime stime"},
        {"SELF": (1009, 0, 0, 0, 1019, 0, 0, 0, 0, 0, 0, 0, 0, 0), "THREAD": ONLY_TIMES},
        process="utime stime maxrss minflt",
        absent={
            "RUSAGE_CHILDREN": NO_ACCOUNT,
            "RUSAGE_BOTH": NO_ACCOUNT,
            "from_native": NO_NATIVE,
            "wait3": "it has no call that waits for any child",
            "wait4": "it has no call that waits for a process ID and returns its usage",
        },
        child_peak=PEAK_OWN,
    ),
    "Cygwin": System(
        "cygwin",
        "3.6.4-1.x86_64",
        {"SELF": "utime stime", "CHILDREN": "utime stime"},
        {"SELF": ONLY_TIMES},
        UNKNOWN_CALLS,
        meanings=(("ru_maxrss", "not measured by Cygwin"), ("ru_majflt", "not measured by Cygwin")),
    ),
    "MSYS2": System(
        "msys",
        "3.6.4-1.x86_64",
        {"SELF": "utime stime", "CHILDREN": "utime stime"},
        {"SELF": ONLY_TIMES},
        UNKNOWN_CALLS,
    ),
    "Haiku": System(
        "haiku1",
        "1",
        {"SELF": "utime stime"},
        {"SELF": ONLY_TIMES},
        {**UNKNOWN_CALLS, "RUSAGE_CHILDREN": RUNNING, "RUSAGE_BOTH": RUNNING},
    ),
    "GNU/Hurd": System(
        "gnu0",
        "0.9",
        {"SELF": "utime stime"},
        {"SELF": ONLY_TIMES},
        {**UNKNOWN_CALLS, "RUSAGE_CHILDREN": NOT_KEPT, "RUSAGE_BOTH": NOT_KEPT},
    ),
    "another Unix": System(
        "aix",
        "3",
        {"SELF": f"{BSD} nswap", "CHILDREN": f"{BSD} nswap"},
        {"SELF": COUNTERS_AND_SWAPS},
        UNKNOWN_CALLS,
        meanings=(("ru_minflt", "it is unknown whether this system fills it"),),
        name="aix",
    ),
}
