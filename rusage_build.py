"""Build ``rusage._rusage``, the cffi out-of-line (API mode) extension, and the launcher.

The C code knows layouts and calls; the meaning of each value is defined by the backend
(``rusage/_backends``), which passes it to C in a ``rusage_call``.
"""

import binascii
import os
import platform
import re
import runpy
import struct
import sys
import sysconfig
import warnings
from pathlib import Path

from cffi import FFI
from setuptools import Extension
from setuptools.build_meta import *  # noqa: F403 (the hooks that pyproject.toml names this module for)
from setuptools.command import bdist_wheel as _bdist_wheel
from setuptools.command import build_ext as _build_ext
from setuptools.command import egg_info as _egg_info
from setuptools.errors import CompileError, LinkError

# The files of the sdist. Its usual name would be one more visible file at the top.
_egg_info.manifest_maker.template = ".manifest.in"

# Each build would warn that naming an extension module in pyproject.toml is experimental.
warnings.filterwarnings("ignore", message=r"`\[tool\.setuptools\.ext-modules\]`")

PACKAGE = Path(__file__).resolve().parent / "rusage"
DECLARATIONS = PACKAGE / "_rusage.cdef"
INCLUDE = re.compile('^#include "(.+)"$', re.MULTILINE)

# The oldest CPython whose stable ABI is used. Free-threaded builds have one from 3.15 on (PEP 803),
# debug builds none.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
STABLE_ABI = "cp315" if FREE_THREADED else "cp311"
HAS_STABLE_ABI = not hasattr(sys, "gettotalrefcount") and (
    not FREE_THREADED or sys.version_info >= (3, 15)
)

# --- The extension ---

_platforms = runpy.run_path(str(PACKAGE / "_backends" / "_platforms.py"))
THIS_BACKEND: str = _platforms["backend_name"](sys.platform)


def declarations(backend: str) -> str:
    """Return the parts of ``_rusage.cdef`` for a platform, with the files that they include."""
    _, *parts = re.split(
        r"^#for (.+)$", DECLARATIONS.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    text = ""
    for systems, part in zip(parts[::2], parts[1::2], strict=True):
        # Such as "linux, freebsd" or "every system but windows".
        words = set(re.findall(r"\w+", systems))
        if ("every" in words) != (backend in words):
            text += part
    return re.sub(INCLUDE, lambda found: (PACKAGE / found[1]).read_text(encoding="utf-8"), text)


def source_checksum() -> int:
    """Return a checksum of all C files; ``tests/conftest.py`` compares it with the built one."""
    files = (each for each in PACKAGE.rglob("*") if each.suffix in {".c", ".h", ".cdef"})
    texts = sorted(each.read_text(encoding="utf-8") for each in files)
    return binascii.crc32("".join(texts).encode())


def builder(backend: str) -> FFI:
    """Return the cffi builder of the extension for a platform."""
    ffi = FFI()
    ffi.cdef(declarations(backend))
    # Absolute: compiler messages name the file, and the generated C compiles in any directory.
    files = [f"_backends/{backend}.c", *(["_launcher/parent.c"] if backend == "linux" else [])]
    includes = [f'#include "{(PACKAGE / name).as_posix()}"\n' for name in files]
    checksum = f"#define RUSAGE_SOURCES {source_checksum()}\n"
    ffi.set_source("rusage._rusage", "".join([checksum, *includes]))
    return ffi


# --- The launcher ---

# A separate program, on Linux only. rusage/_launcher/start.py starts it and explains its purpose.
LAUNCHER, LAUNCHER_SOURCE = "rusage._launcher.launcher", "rusage/_launcher/launcher.c"
LAUNCHER_FLAGS = ["-Os", "-ffreestanding", "-fno-stack-protector", "-fno-pie"]
LAUNCHER_FLAGS += ["-fno-asynchronous-unwind-tables", "-fomit-frame-pointer"]
# One segment: loading each takes time.
LAUNCHER_LINK_FLAGS = ["-static", "-no-pie", "-nostdlib", "-s"]
LAUNCHER_LINK_FLAGS += ["-Wl,-z,noseparate-code", "-Wl,--build-id=none"]

# On i386 only SSE2 rounds the times correctly. Microsoft's compiler uses it by itself.
IS_I386 = struct.calcsize("P") == 4 and re.fullmatch(r"(?i)i.86|x86_64|amd64", platform.machine())
SSE2_FLAGS = ["-msse2", "-mfpmath=sse"] if IS_I386 else []

# --- The build commands ---


class build_ext(_build_ext.build_ext):  # noqa: N801 (the name is setuptools')
    """Build the extension and, on Linux, the launcher."""

    def finalize_options(self) -> None:
        """Let setuptools take the launcher for a first extension, so that it knows its places."""
        modules = self.distribution.ext_modules or []
        if THIS_BACKEND == "linux" and LAUNCHER not in [module.name for module in modules]:
            modules.insert(0, Extension(LAUNCHER, [LAUNCHER_SOURCE]))
        super().finalize_options()

    def get_ext_filename(self, fullname: str) -> str:
        """Return the file of a module; the launcher has no suffix."""
        if LAUNCHER.endswith(fullname):
            return os.path.join(*fullname.split("."))
        return str(super().get_ext_filename(fullname))  # type: ignore[no-untyped-call] # the stubs lack its type

    def build_extension(self, ext: Extension) -> None:
        """Build the launcher, or generate the C of the extension and compile it."""
        if ext.name == LAUNCHER:
            self._build_launcher(self.get_ext_fullpath(LAUNCHER))
            return
        ext.py_limited_api = HAS_STABLE_ABI
        if not HAS_STABLE_ABI:
            ext.define_macros.append(("_CFFI_NO_LIMITED_API", ""))  # as cffi's own C defines it
        elif FREE_THREADED:
            ext.define_macros.append(("Py_TARGET_ABI3T", "0x030f0000"))  # of Python 3.15
        if self.compiler.compiler_type != "msvc":
            # Without debug information, which is most of the file; CFLAGS may request it.
            ext.extra_compile_args += SSE2_FLAGS + ([] if "CFLAGS" in os.environ else ["-g0"])
        if THIS_BACKEND == "linux":
            ext.extra_link_args.append("-pthread")  # pthread_atfork() before glibc 2.34
        source = os.path.join(self.build_temp, "_rusage.c")
        os.makedirs(self.build_temp, exist_ok=True)
        builder(THIS_BACKEND).emit_c_code(source)
        ext.sources = [source]
        super().build_extension(ext)

    def _build_launcher(self, output: str) -> None:
        """Build the launcher; failure is fatal, as a child's peak is not measured without it."""
        try:  # without a C library, on the processors that launcher.c lists
            objects = self.compiler.compile(
                [LAUNCHER_SOURCE],
                output_dir=self.build_temp,
                macros=[("RUSAGE_NO_LIBC", None)],
                extra_postargs=LAUNCHER_FLAGS,
            )
            self.compiler.link_executable(objects, output, extra_preargs=LAUNCHER_LINK_FLAGS)
        except (CompileError, LinkError):
            objects = self.compiler.compile([LAUNCHER_SOURCE], output_dir=self.build_temp)
            self.compiler.link_executable(objects, output)


class bdist_wheel(_bdist_wheel.bdist_wheel):  # noqa: N801 (the name is setuptools')
    """Tag the wheel for the stable ABI, if it is available."""

    def finalize_options(self) -> None:
        """Set the option here: a fixed value in pyproject.toml would break free-threaded builds."""
        if HAS_STABLE_ABI:
            self.py_limited_api = STABLE_ABI
        super().finalize_options()


USAGE = """\
usage: pip install -e .                              build the package in place
       python rusage_build.py --platform NAME OUT.c  write the C of a platform, to cross-compile it
"""

if __name__ == "__main__":
    names = {*_platforms["PLATFORMS"].values(), "unknown"}
    if len(sys.argv) != 4 or sys.argv[1] != "--platform" or sys.argv[2] not in names:
        sys.stderr.write(USAGE)
        sys.exit(2)
    builder(sys.argv[2]).emit_c_code(sys.argv[3])
