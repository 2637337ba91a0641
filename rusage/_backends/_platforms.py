"""The list of platforms. It must not import anything: the build script reads it before the package is built."""

# Prefixes of sys.platform, and the name of the backend.
PLATFORMS = {
    "linux": "linux",
    "android": "linux",
    "darwin": "macos",
    "ios": "macos",
    "freebsd": "freebsd",
    "openbsd": "openbsd",
    "netbsd": "netbsd",
    "dragonfly": "dragonfly",
    "sunos": "illumos",
    "win32": "windows",
}


def backend_name(platform: str) -> str:
    """Return the name of the backend for a ``sys.platform``, such as ``freebsd`` for ``freebsd15``."""
    for prefix, name in PLATFORMS.items():
        if platform.startswith(prefix):
            return name
    return "unknown"
