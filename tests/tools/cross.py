"""Compile the C of every platform for that platform, on this machine, with warnings as errors.

The compiler and the systems' headers are those of the ziglang package. CPython's headers are those of the interpreter
that runs this; what its pyconfig.h says of this machine's types is replaced by what the compiler says of the target's.
"""

import argparse
import runpy
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

BUILDER = Path(__file__).parent.parent.parent / "rusage_build.py"

# The backend, the target, and what is to be said of a target that is not the platform itself.
TARGETS = [
    ("macos", "aarch64-macos", ""),
    ("macos", "x86_64-macos", ""),
    ("freebsd", "x86_64-freebsd", ""),
    ("freebsd", "aarch64-freebsd", ""),
    ("openbsd", "x86_64-openbsd", ""),
    ("openbsd", "aarch64-openbsd", ""),
    ("netbsd", "x86_64-netbsd", ""),
    ("linux", "x86_64-linux-gnu", ""),
    ("linux", "x86-linux-gnu", "32-bit long"),
    ("linux", "aarch64-linux-gnu", ""),
    ("linux", "riscv64-linux-gnu", ""),
    ("linux", "s390x-linux-gnu", "big-endian"),
    ("linux", "x86_64-linux-musl", ""),
    ("linux", "arm-linux-musleabihf", "32-bit long, 64-bit time_t"),
    ("windows", "x86_64-windows-gnu", ""),
    ("windows", "aarch64-windows-gnu", ""),
    ("unknown", "x86_64-linux-musl", "as an example of another Unix"),
]
PLATFORMS = runpy.run_path(str(BUILDER.parent / "rusage" / "_backends" / "_platforms.py"))["PLATFORMS"]
for _name in dict.fromkeys(PLATFORMS.values()):
    if all(_name != row[0] for row in TARGETS):
        TARGETS.append(
            (_name, "x86_64-linux-gnu", "no headers of it in ziglang: glibc's instead, which has RUSAGE_LWP too")
        )

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Werror"]
# cffi's own part of the generated file has these.
NO_WARNINGS = ["-Wno-unused-parameter", "-Wno-missing-field-initializers"]

# All the sizes that CPython's public headers ask for; Python.h refuses a pyconfig.h that is wrong about them.
SIZES = """
#undef SIZEOF_INT
#undef SIZEOF_LONG
#undef SIZEOF_LONG_LONG
#undef SIZEOF_SIZE_T
#undef SIZEOF_VOID_P
#undef SIZEOF_WCHAR_T
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
"""

# PC/pyconfig.h does not come with a CPython for Unix. This much of it is what the limited API's headers ask for.
WINDOWS = """
#define MS_WIN32
#define MS_WINDOWS
#define MS_WIN64
#define HAVE_DECLSPEC_DLL
#define HAVE_STDDEF_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_WCHAR_H 1
"""


# What configure finds on the system itself, and not here.
CONFIGURE = """
#ifdef __OpenBSD__
#define _BSD_SOURCE 1
#endif
"""


def here() -> Path:
    """Return the pyconfig.h of this interpreter. Debian has one in its place that looks for the target's."""
    include = Path(sysconfig.get_path("include"))
    debian = include.parent / str(sysconfig.get_config_var("MULTIARCH")) / include.name / "pyconfig.h"
    return debian if debian.exists() else include / "pyconfig.h"


def write_headers(folder: Path, python: str) -> None:
    """Fill a folder with CPython's headers but for pyconfig.h: Python.h takes the one beside it."""
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise SystemExit(f"{sys.executable} has no headers: {include}")
    folder.mkdir()
    for header in include.iterdir():
        if header.name != "pyconfig.h":
            (folder / header.name).symlink_to(header)
    (folder / "pyconfig.h").write_text(python + SIZES + CONFIGURE)


def compile_for(platform: str, target: str, folder: Path) -> str:
    """Compile the C of a platform for a target; return what the compiler has to say, nothing if all is well."""
    source = folder / f"{platform}.c"
    if not source.exists():
        subprocess.run([sys.executable, BUILDER, "--platform", platform, source], check=True, stdout=subprocess.DEVNULL)
    headers = folder / ("windows" if "windows" in target else "unix")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, *WARNINGS, *NO_WARNINGS]
    command += ["-isystem", str(headers), "-c", str(source), "-o", str(folder / f"{platform}-{target}.o")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        return done.stdout or f"exit status {done.returncode}"
    return done.stdout


def main() -> int:
    """Compile for all targets, or those that contain a given text; exit with 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("text", nargs="?", default="", help="such as freebsd or aarch64")
    text = parser.parse_args().text
    chosen = [row for row in TARGETS if text in row[0] or text in row[1]]
    if not chosen:
        parser.error(f"no target contains {text!r}")
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_headers(folder / "unix", f'#include "{here()}"\n')
        write_headers(folder / "windows", WINDOWS)
        for platform, target, remark in chosen:
            started = time.monotonic()
            trouble = compile_for(platform, target, folder)
            failed += bool(trouble)
            verdict = "FAILED" if trouble else "ok"
            print(f"{platform:10} {target:22} {verdict:6} {time.monotonic() - started:5.1f} s  {remark}".rstrip())
            print(trouble, end="", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} compile")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
