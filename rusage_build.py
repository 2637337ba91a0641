"""Build ``rusage._rusage``, the cffi out-of-line (API mode) extension, and what goes beside it.

The C knows layouts and calls, never what a number means: the backend (``rusage/_backends``) says that, and hands it
down in a ``rusage_call``. ``python rusage_build.py --platform NAME OUT.c`` writes the C of any platform on any, so
that a cross compiler can check them all on one machine.
"""

import argparse
import os
import re
import runpy
import sys
import sysconfig
from pathlib import Path

from cffi import FFI
from setuptools import Extension
from setuptools.command import bdist_wheel as _bdist_wheel
from setuptools.command import build_ext as _build_ext
from setuptools.errors import CompileError, LinkError

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "rusage"
# What setuptools does not put into the sdist by itself.
SDIST = [
    "rusage_build.py",
    "rusage/**/*.[ch]",
    "rusage/**/*.cdef",
    ".clang-format",
    "CHANGELOG.md",
    "tox.ini",
    "benchmarks/*.py",
    "tests/**/*.py",
]

STABLE_ABI = "cp310"
# Free-threaded and debug interpreters have no stable ABI that cffi and setuptools could build for.
HAS_STABLE_ABI = not (sysconfig.get_config_var("Py_GIL_DISABLED") or hasattr(sys, "gettotalrefcount"))

# --- The extension ---------------------------------------------------------------------------------------------------

_backends = runpy.run_path(str(PACKAGE / "_backends" / "_platforms.py"))
BACKENDS = [*dict.fromkeys(_backends["PLATFORMS"].values()), "unknown"]


def this_backend() -> str:
    """Return the name of the backend for the system that this interpreter runs on."""
    name: str = _backends["backend_name"](sys.platform)
    return name


def sources(backend: str) -> list[Path]:
    """Return a backend's C file and all that it includes, each file after those that it includes itself."""
    found: dict[Path, None] = {}

    def add(path: Path) -> None:
        for name in re.findall(r'^#include "(.+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
            add((path.parent / name).resolve())
        found.setdefault(path)

    add(PACKAGE / "_backends" / f"{backend}.c")
    return list(found)


def builder(backend: str) -> FFI:
    """Return the cffi builder of the extension for a platform.

    What Python sees of a C file is in the ``.cdef`` file beside it, if there is one.
    """
    ffi = FFI()
    *_, main = files = sources(backend)
    for path in dict.fromkeys(file.with_suffix(".cdef") for file in files):
        if path.exists():
            ffi.cdef(f'# 1 "{path.as_posix()}"\n{path.read_text(encoding="utf-8")}')
    # By its whole path, so that messages name the file, wherever the generated C is compiled.
    ffi.set_source("rusage._rusage", f'#include "{main.as_posix()}"\n')
    return ffi


ffibuilder = builder(this_backend())

# --- The launcher ----------------------------------------------------------------------------------------------------

# A program of its own, on Linux only: rusage/_children/launcher.py says what it is for, and starts it.
LAUNCHER = str(PACKAGE / "_children" / "launcher.c")
LAUNCHER_FLAGS = [
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",
    "-fomit-frame-pointer",
]
# One segment: each takes the kernel time to load.
LAUNCHER_LINK_FLAGS = ["-static", "-no-pie", "-nostdlib", "-s", "-Wl,-z,noseparate-code", "-Wl,--build-id=none"]

# --- The build commands ----------------------------------------------------------------------------------------------


class build_ext(_build_ext.build_ext):  # noqa: N801 (the name is setuptools')
    """Write the C source of the extension, then compile it."""

    def build_extension(self, ext: Extension) -> None:
        """Generate the C of the one extension, then compile it."""
        ext.py_limited_api = HAS_STABLE_ABI
        if not HAS_STABLE_ABI:
            ext.define_macros.append(("_CFFI_NO_LIMITED_API", ""))  # as cffi's own C defines it
        source = os.path.join(self.build_temp, "_rusage.c")
        os.makedirs(self.build_temp, exist_ok=True)
        ffibuilder.emit_c_code(source)
        ext.sources = [source]
        ext.depends = [str(path) for path in sources(this_backend())]
        super().build_extension(ext)

    def build_extensions(self) -> None:
        """Build the launcher too, where there is one."""
        super().build_extensions()
        if this_backend() == "linux":
            self._build_launcher()

    def _build_launcher(self) -> None:
        """Build the program beside the extension. Failure is fatal: without it a child's peak is unavailable."""
        output = self._launcher(self.build_lib)
        try:  # without a C library, on the processors that rusage/_children/nolibc.h lists
            objects = self.compiler.compile(
                [LAUNCHER],
                output_dir=self.build_temp,
                macros=[("RUSAGE_NO_LIBC", None)],
                extra_postargs=LAUNCHER_FLAGS,
            )
            self.compiler.link_executable(objects, output, extra_preargs=LAUNCHER_LINK_FLAGS)
        except (CompileError, LinkError):
            objects = self.compiler.compile([LAUNCHER], output_dir=self.build_temp)
            self.compiler.link_executable(objects, output)

    def _launcher(self, folder: str) -> str:
        return os.path.join(folder, "rusage", "_children", "_launcher")

    def get_source_files(self) -> list[str]:
        """Return the files for the sdist: all that the build, the tests and tox need."""
        files = {str(path.relative_to(ROOT)) for pattern in SDIST for path in ROOT.glob(pattern)}
        return sorted({*super().get_source_files(), *files})

    def copy_extensions_to_source(self) -> None:
        """Put the launcher beside the extension in an editable installation too."""
        super().copy_extensions_to_source()
        if this_backend() == "linux":
            self.copy_file(self._launcher(self.build_lib), self._launcher(""))

    def get_outputs(self) -> list[str]:
        """Name the launcher with the rest of what was built."""
        launcher = {self._launcher(self.build_lib)} if this_backend() == "linux" else set()
        return sorted({*super().get_outputs(), *launcher})

    def get_output_mapping(self) -> dict[str, str]:
        """Say where each file that was built belongs in the source tree."""
        mapping = super().get_output_mapping()
        if self.inplace and this_backend() == "linux":
            mapping[self._launcher(self.build_lib)] = self._launcher("")
        return mapping


class bdist_wheel(_bdist_wheel.bdist_wheel):  # noqa: N801 (the name is setuptools')
    """Tag the wheel for the stable ABI, where there is one."""

    def finalize_options(self) -> None:
        """Set the option here: a fixed one in pyproject.toml would break the free-threaded builds."""
        if HAS_STABLE_ABI:
            self.py_limited_api = STABLE_ABI
        super().finalize_options()


def main() -> None:
    """Write the C source of the extension for a platform."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--platform", choices=BACKENDS, default=this_backend(), help="default: %(default)s")
    parser.add_argument("output", metavar="OUT.c")
    arguments = parser.parse_args()
    builder(arguments.platform).emit_c_code(arguments.output)


if __name__ == "__main__":
    main()
