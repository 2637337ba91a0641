"""The expected values of each system, a row each; tests of several systems compare with them."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple
from unittest import mock

import rusage
from rusage._backends import BACKEND, _base, linux
from rusage._backends._base import Backend
from rusage._backends._platforms import PLATFORMS, backend_name

# The fields that a child lacks by chance where the kernel samples them: no tick of its clock may
# have hit the child.
SAMPLED = (
    _base.INTEGRALS | {"ru_maxrss"} if BACKEND.child_peak == _base.PEAK_SAMPLED else _base.NONE
)

FOLDER = Path(rusage.__file__).parent / "_backends"
BACKENDS = list(dict.fromkeys(PLATFORMS.values()))  # in the list of platforms, without "unknown"


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
    uname = mock.patch.object(
        os, "uname", create=True, return_value=SimpleNamespace(release=release)
    )
    with mock.patch.object(sys, "platform", platform), uname:
        backend: Backend = load(f"rusage._backends.{name}", FOLDER / f"{name}.py").BACKEND
    return backend


def newest(name: str) -> Backend:
    """Return the backend of a system's newest kernel, as other systems' interpreters see it."""
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
    """The converted values of ``conversion.KERNEL``, from ``ru_maxrss`` on."""
    absent: str = ""
    """The names that the system lacks, except those that ``Process`` implies or only one has."""
    process: str = ""
    """The fields of another process, without their prefixes."""
    units: Mapping[str, str] = {}
    """The units that are not the uniform ones."""
    child_peak: str = _base.PEAK_NONE
    """The rule for a child's peak."""
    exports: str = "times"
    """The groups of metrics that ``rusage.prometheus`` and ``rusage.opentelemetry`` export.

    Their tests name the groups.
    """
    exports_of_children: str | None = None
    """The same for children, where it differs."""
    name: str = ""
    """The backend's name where it is not the row's."""
    known_backend: Backend | None = None
    """The backend where platform and release do not tell it."""

    @property
    def lacks(self) -> list[str]:
        """All names that the system lacks."""
        names = self.absent.split()
        trees = ["Tree", "Sample", "Member", "record"] if "Process" in names else []
        return [*names, *trees, *([] if self.platform == "linux" else ["pss"])]

    @property
    def backend(self) -> Backend:
        """The system's backend."""
        return self.known_backend or backend_on(
            backend_name(self.platform), self.platform, self.release
        )


OF_PROC = "utime stime maxrss minflt majflt"
PLAIN = "utime stime minflt majflt inblock oublock nvcsw nivcsw"
BSD = f"{PLAIN} msgsnd msgrcv nsignals"
BSD_NO_NIVCSW = BSD.replace(" nivcsw", "")
BSD_NO_MINFLT = BSD.replace(" minflt", "")
NO_SWITCHES = BSD.replace(" nvcsw nivcsw", "")
NO_BLOCKS = "utime stime maxrss minflt majflt nvcsw nivcsw"
WHO = "SELF", "CHILDREN", "THREAD"
INTEGRALS = "ixrss idrss isrss"
MACOS = "utime stime maxrss minflt majflt msgsnd msgrcv nsignals"
BLOCKS_512 = {"ru_inblock": "512-byte units", "ru_oublock": "512-byte units"}

# 1009 KiB are 1033216 bytes; 20011 KiB-ticks at 127 Hz are 161348.53 byte-seconds.
OF_LINUX = (1033216, 0, 0, 0, 1019, 1021, 0, 1033, 1039, 0, 0, 0, 1063, 1069)
OF_MACOS = (1009, 0, 0, 0, 1019, 1021, 0, 0, 0, 1049, 1051, 1061, 0, 0)
OF_BSD = (1033216, 0, 0, 0, 1019, 1021, 0, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
OF_BSD_WITH_INTEGRALS = (1033216, 161348, 241978, 322592, *OF_BSD[4:])
NO_PEAK = (0, *OF_BSD[1:])
COUNTERS_AND_SWAPS = (0, 0, 0, 0, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
OF_ILLUMOS = (0, 0, 0, 0, 0, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 1069)
ONLY_TIMES = (0,) * 14

LINUX = System(
    "linux",
    "6.12.0",
    dict.fromkeys(WHO, f"{PLAIN} maxrss"),
    {"SELF": OF_LINUX, "THREAD": OF_LINUX},
    process=OF_PROC,
    units=BLOCKS_512,
    child_peak=_base.PEAK_AT_LEAST_PARENTS_INEXACT,
    known_backend=linux.backend(io_accounting=True),
    exports="times faults switches bytes rss peak",
)
OPENBSD_7_7 = System(
    "openbsd7",
    "7.7",
    dict.fromkeys(WHO, f"{BSD} maxrss"),
    {"SELF": OF_BSD},
    absent="peak",
    process="utime stime",
    child_peak=_base.PEAK_TOUCHED,
    name="OpenBSD",
    exports="times faults switches operations rss maxrss",
)
NETBSD_8 = System(
    "netbsd8",
    "8.3",
    {"SELF": BSD, "CHILDREN": BSD},
    {"SELF": NO_PEAK},
    absent="RUSAGE_THREAD peak",
    process=NO_SWITCHES,
    child_peak=_base.PEAK_AT_LEAST_PARENTS,
    name="NetBSD",
    exports="times faults switches operations rss",
)
SYSTEMS = {
    "Linux": LINUX,
    "Linux without I/O accounting": LINUX._replace(
        measured=dict.fromkeys(WHO, NO_BLOCKS),
        becomes={"SELF": (1033216, 0, 0, 0, 1019, 1021, 0, 0, 0, 0, 0, 0, 1063, 1069)},
        name="Linux",
        known_backend=linux.backend(io_accounting=False),
        exports="times faults switches rss peak",
    ),
    "Linux 6.1": LINUX._replace(
        release="6.1.0-40-amd64",
        name="Linux",
        known_backend=linux.backend(io_accounting=True, release="6.1.0-40-amd64"),
    ),
    "macOS": System(
        "darwin",
        "24.5.0",
        {"SELF": MACOS, "CHILDREN": MACOS, "THREAD": "utime stime"},
        {"SELF": OF_MACOS, "CHILDREN": OF_MACOS, "THREAD": ONLY_TIMES},
        process="utime stime minflt majflt inblock oublock",
        units=BLOCKS_512,
        child_peak=_base.PEAK_OWN,
        exports="times faults rss peak",
    ),
    "FreeBSD": System(
        "freebsd15",
        "15.1-RELEASE-p1",
        dict.fromkeys(WHO, f"{BSD} maxrss {INTEGRALS}"),
        {"SELF": OF_BSD_WITH_INTEGRALS, "THREAD": OF_BSD_WITH_INTEGRALS},
        absent="peak",
        process=BSD,
        child_peak=_base.PEAK_SAMPLED,
        exports="times faults switches operations rss maxrss",
    ),
    "OpenBSD 7.7": OPENBSD_7_7,
    "OpenBSD 7.8": OPENBSD_7_7._replace(
        release="7.8",
        measured={
            "SELF": f"{BSD} maxrss {INTEGRALS}",
            "CHILDREN": f"{BSD} maxrss {INTEGRALS}",
            "THREAD": f"{BSD} maxrss",
        },
        becomes={"SELF": OF_BSD_WITH_INTEGRALS, "THREAD": OF_BSD},
    ),
    "NetBSD 8": NETBSD_8,
    "NetBSD 9": NETBSD_8._replace(
        platform="netbsd9",
        release="9.0",
        # exit1() in sys/kern/kern_exit.c calls ruspace() for a child that exits.
        measured={"SELF": f"{BSD} maxrss", "CHILDREN": f"{BSD} maxrss"},
        becomes={"SELF": OF_BSD, "CHILDREN": OF_BSD},
        exports="times faults switches operations rss maxrss",
    ),
    "DragonFly BSD": System(
        "dragonfly6",
        "6.4-RELEASE",
        # swapout() in sys/vm/vm_glue.c counts ru_nswap.
        {"SELF": f"{BSD_NO_NIVCSW} maxrss nswap", "CHILDREN": "utime stime maxrss nswap"},
        {
            "SELF": (1033216, 0, 0, 0, 1019, 1021, 1031, 1033, 1039, 1049, 1051, 1061, 1063, 0),
            "CHILDREN": (1033216, 0, 0, 0, 0, 0, 1031, 0, 0, 0, 0, 0, 0, 0),
        },
        absent="RUSAGE_THREAD peak",
        process=f"{BSD_NO_NIVCSW} nswap",
        child_peak=_base.PEAK_TOUCHED_SAMPLED,
        exports="times faults voluntary operations rss maxrss",
        exports_of_children="times",
    ),
    "illumos": System(
        "sunos5",
        "5.11",
        dict.fromkeys(WHO, f"{BSD_NO_MINFLT} nswap"),
        {"SELF": OF_ILLUMOS, "THREAD": OF_ILLUMOS},
        absent="Process peak",
        exports="times major_faults switches operations rss",
    ),
    "Windows": System(
        "win32",
        "",
        {"SELF": "utime stime maxrss minflt", "THREAD": "utime stime"},
        {"SELF": (1009, 0, 0, 0, 1019, 0, 0, 0, 0, 0, 0, 0, 0, 0), "THREAD": ONLY_TIMES},
        process="utime stime maxrss minflt",
        absent="RUSAGE_CHILDREN RUSAGE_BOTH from_native wait3 wait4",
        child_peak=_base.PEAK_OWN,
        exports="times all_faults rss peak",
    ),
    "another Unix": System(
        "aix",
        "3",
        {"SELF": f"{BSD} nswap", "CHILDREN": f"{BSD} nswap"},
        {"SELF": COUNTERS_AND_SWAPS},
        absent="Process RUSAGE_THREAD wait3 wait4 peak rss",
        name="aix",
        exports="times faults switches operations",
    ),
}
