"""Compile the C of every platform for that platform, on this machine, with warnings as errors.

The compiler and the systems' headers come from the ziglang package.

Each file of this C is compiled alone too, without the file that includes it, as an editor reads it,
and with the kernel that the tests have made up, if there is one.

The launcher is compiled for several processors, with a C library and, where it can be, without one.
The form without a C library is also linked, and run if Debian's qemu-user is installed.
"""

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BUILDER = Path(__file__).resolve().parent.parent.parent / "rusage_build.py"
LAUNCHER = BUILDER.parent / "rusage" / "_launcher" / "launcher.c"
OWN_CHILD = BUILDER.parent / "tests" / "programs" / "own_child.h"

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
_platforms = BUILDER.parent / "rusage" / "_backends" / "_platforms.py"
PLATFORMS = runpy.run_path(str(_platforms))["PLATFORMS"]
NO_HEADERS = "no headers of it in ziglang: glibc's, and the tests' own, instead"
HERE = "x86_64-linux-gnu"
STAND_INS = set(PLATFORMS.values()) - {row[0] for row in TARGETS}
TARGETS += [(name, HERE, NO_HEADERS) for name in sorted(STAND_INS)]

# The systems with a made-up kernel, and the headers that Linux lacks, or that would not stand for
# the system's own.
KERNELS = BUILDER.parent / "tests" / "programs" / "kernels"
HEADERS = {
    "freebsd": ["sys/sysctl.h", "sys/proc.h", "sys/procctl.h", "sys/user.h"],
    "netbsd": ["sys/sysctl.h"],
    "openbsd": ["sys/sysctl.h"],
    "dragonfly": ["sys/kinfo.h", "sys/procctl.h", "sys/sysctl.h"],
    "illumos": ["procfs.h"],
    "macos": ["libproc.h", "mach/mach.h", "mach/mach_time.h", "pthread.h", "sys/sysctl.h"],
    "windows": ["winsock2.h", "windows.h", "psapi.h", "tlhelp32.h"],
}

# The target of the launcher, and the emulator for its form without a C library; None if it has no
# such form.
LAUNCHERS: list[tuple[str, str | None]] = [
    ("x86_64-linux-gnu", "qemu-x86_64"),
    ("aarch64-linux-gnu", "qemu-aarch64"),
    ("riscv64-linux-gnu", None),
    ("x86-linux-gnu", None),
    ("arm-linux-gnueabihf", None),
    ("s390x-linux-gnu", None),
    ("powerpc64le-linux-gnu", None),
]
# As in rusage_build.py. ziglang does not support its -z noseparate-code.
NO_LIBC = ["-DRUSAGE_NO_LIBC", "-ffreestanding", "-fno-stack-protector"]
NO_LIBC += ["-fno-asynchronous-unwind-tables", "-fno-pie", "-fomit-frame-pointer"]
LINK_NO_LIBC = ["-static", "-nostdlib", "-no-pie"]
ID = shutil.which("id") or "/usr/bin/id"

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Werror"]
# cffi's own part of the generated file has these.
NO_WARNINGS = ["-Wno-unused-parameter", "-Wno-missing-field-initializers"]

# cffi's wrappers of the C for CPython are left out: they would need the pyconfig.h of each system.
PYTHON = "#define PyMODINIT_FUNC void *\n#define PYPY_VERSION\n"


def zig(*arguments: str | Path) -> str:
    """Run the compiler; return its complaints, nothing if all is well."""
    # One of them would be of the GCCs that are installed on this machine.
    command = [sys.executable, "-m", "ziglang", "cc", "-Wno-gcc-install-dir-libstdcxx", *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout or (f"exit status {done.returncode}\n" if done.returncode else "")


def write_headers(system: str, folder: Path) -> None:
    """Write the headers of a made-up kernel into a folder."""
    for name in HEADERS[system]:
        header = folder / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(f'#include "{KERNELS / system}.h"\n')


def words_for(system: str, folder: Path) -> list[str]:
    """Write these headers; return the compiler's words for the C of the system with them."""
    write_headers(system, folder)
    backend = BUILDER.parent / "rusage" / "_backends" / f"{system}.c"
    return [f"-I{folder}", f"-I{KERNELS}", f'-DKERNEL="{system}.h"', f'-DBACKEND="{backend}"']


def included_by(source: Path) -> set[Path]:
    names = re.findall(r'^#include "(.+\.[ch])"$', source.read_text(encoding="utf-8"), re.MULTILINE)
    found = {(source.parent / name).resolve() for name in names}
    return found.union(*map(included_by, found))


def compile_for(platform: str, target: str, folder: Path) -> str:
    source = folder / f"{platform}.c"
    if not source.exists():
        subprocess.run(
            [sys.executable, BUILDER, "--platform", platform, source],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    if platform in STAND_INS:
        write_headers(platform, folder / platform)
    folders: list[str | Path] = ["-isystem", folder, "-isystem", folder / platform]
    output = folder / f"{platform}-{target}.o"
    flags = [*WARNINGS, *NO_WARNINGS, *(["-Wconversion"] if platform == "windows" else [])]
    trouble = zig("-target", target, *flags, *folders, "-c", source, "-o", output)
    for path in sorted(included_by(source)) if not trouble else []:
        # The rest is only declared. Not -fsyntax-only: ziglang then looks for an object file.
        alone = ["-Werror", "-Wno-undefined-internal", "-x", "c", "-c", os.devnull]
        trouble += zig("-target", target, *folders, *alone, "-include", path, "-o", output)
    return trouble


def compile_with_kernel(system: str, folder: Path) -> str:
    # Not every system uses all of main.c and kernel.h, whose names may also be those of the C.
    flags = [*WARNINGS, "-Wno-shadow", "-Wno-unused", "-Wno-unused-parameter"]
    words = words_for(system, folder / "kernels" / system)
    output = folder / f"kernel-{system}.o"
    return zig("-target", HERE, *flags, *words, "-c", KERNELS / "main.c", "-o", output)


def build(target: str, program: Path, *options: str | Path, libc: bool) -> str:
    # Linking with one takes ziglang a quarter of a minute: it builds the library first.
    compiled = program.with_suffix(".o")
    flags: list[str | Path] = [*WARNINGS, *([] if libc else NO_LIBC), *options]
    trouble = zig("-target", target, "-O2", *flags, "-c", LAUNCHER, "-o", compiled)
    return trouble or (
        "" if libc else zig("-target", target, *LINK_NO_LIBC, compiled, "-o", program)
    )


def run_launcher(emulator: str, program: Path) -> str:
    """Start id(1) by a launcher whose child is its own in an emulator; return what is wrong."""
    memory = os.memfd_create("memory")
    read, write = os.pipe()
    for fd in memory, write:
        os.set_inheritable(fd, True)  # noqa: FBT003 (takes no keyword)
    # The arguments that launcher.c describes: two paths, one kept descriptor, one limit,
    # RLIMIT_CORE. 4: close others; 16: set the directory.
    numbers = f"3 20 {memory} {write} 0 0 2 1 {write} 1 4 0 0"
    command = [emulator, str(program), numbers, "0 0", "/", "/no/such/file", ID, "id"]
    done = subprocess.run(command, close_fds=False, stdout=subprocess.PIPE, text=True, check=False)
    for fd in memory, read, write:
        os.close(fd)
    expected = 0, subprocess.check_output([ID], text=True)
    seen = done.returncode, done.stdout
    return "" if seen == expected else f"{emulator}: {seen} instead of {expected}\n"


def report(name: str, target: str, trouble: str, remark: str) -> bool:
    verdict = "FAILED" if trouble else "ok"
    print(f"{name:10} {target:22} {verdict:6} {remark}".rstrip())
    print(trouble, end="", flush=True)
    return not trouble


def test_launcher(target: str, emulator: str | None, folder: Path) -> list[bool]:
    trouble = build(target, folder / f"launcher-{target}", libc=True)
    well = [report("launcher", target, trouble, "with a C library")]
    if emulator is None:
        return well
    remark, own_child = "without a C library", folder / f"own-child-{target}"
    trouble = build(target, folder / f"no-libc-{target}", libc=False)
    trouble = trouble or build(target, own_child, "-include", OWN_CHILD, libc=False)
    path = shutil.which(emulator)
    if path and not trouble:
        trouble = run_launcher(path, own_child)
        remark += f", run by {emulator}"
    elif not path:
        remark += f", not run: {emulator} is not installed"
    return [*well, report("launcher", target, trouble, remark)]


def main() -> int:
    """Compile for all targets, or those that contain a text; exit with 1 if one of them fails."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("text", nargs="?", default="", help="such as freebsd, aarch64 or launcher")
    text = parser.parse_args().text
    chosen = [row for row in TARGETS if text in row[0] or text in row[1]]
    launchers = [row for row in LAUNCHERS if text in "launcher" or text in row[0]]
    kernels = [name for name in HEADERS if text in name or text in HERE]
    if not chosen and not launchers:
        parser.error(f"no target contains {text!r}")
    well = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pyconfig.h").write_text("#define _GNU_SOURCE\n")
        (folder / "Python.h").write_text(PYTHON)
        for platform, target, remark in chosen:
            well.append(report(platform, target, compile_for(platform, target, folder), remark))
        for name in kernels:
            trouble = compile_with_kernel(name, folder)
            well.append(report(name, HERE, trouble, "with a made-up kernel"))
        for target, emulator in launchers:
            well += test_launcher(target, emulator, folder)
    print(f"{sum(well)} of {len(well)} pass")
    return 0 if all(well) else 1


if __name__ == "__main__":
    raise SystemExit(main())
