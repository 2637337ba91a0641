"""The list of platforms.

It must not import anything: the build script reads it before the package is built.

Keys are prefixes of ``sys.platform``. A system has the backend that ``PLATFORMS`` names, cannot
import this package if ``REFUSED`` has it, and otherwise has the backend ``unknown``, if it is a
Unix: the package does not compile elsewhere.
"""

PLATFORMS = {
    "linux": "linux",
    "android": "linux",
    "darwin": "macos",
    "freebsd": "freebsd",
    "openbsd": "openbsd",
    "netbsd": "netbsd",
    "dragonfly": "dragonfly",
    "sunos": "illumos",
    "win32": "windows",
}

# The reasons are in the ImportError. Sources: winsup/cygwin/resource.cc,
# src/system/libroot/posix/sys/getrusage.c in Haiku, sysdeps/mach/hurd/getrusage.c in glibc,
# wasi-libc, and emscripten_syscall_stubs.c.
MISNAMED = "only the two times in its getrusage match their names"
HURD = "only the two times and, approximately, the page faults in its getrusage match their names"
REFUSED = {
    "cygwin": MISNAMED,
    "msys": MISNAMED,
    "haiku": MISNAMED,
    "gnu0": HURD,  # GNU/Hurd; its messages are Mach's
    "wasi": "its CPU time is wall-clock time",
    "emscripten": "its getrusage returns constants",
}


def backend_name(platform: str) -> str:
    """Return the backend's name for a ``sys.platform``, such as ``freebsd`` for ``freebsd15``."""
    for prefix, name in PLATFORMS.items():
        if platform.startswith(prefix):
            return name
    return "unknown"
