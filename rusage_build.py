"""Build ``rusage._rusage``, the cffi out-of-line (API mode) extension, and the launcher.

The C code knows layouts and calls; the meaning of each value is defined by the backend
(``rusage/_backends``), which passes it to C in a ``rusage_call``. ``python rusage_build.py`` builds
in the source tree, as an editable installation does; with ``--platform NAME OUT.c`` it writes the C
code of any platform, for cross compilers.
"""

import binascii
import gzip
import os
import platform
import re
import runpy
import struct
import sys
import sysconfig
import tarfile
import time
import warnings
from pathlib import Path
from typing import Any

from cffi import FFI
from setuptools import Extension, setup
from setuptools.build_meta import *  # noqa: F403 (the hooks that pyproject.toml names this module for)
from setuptools.command import bdist_wheel as _bdist_wheel
from setuptools.command import build_ext as _build_ext
from setuptools.command import egg_info as _egg_info
from setuptools.command import sdist as _sdist
from setuptools.errors import CompileError, LinkError

_egg_info.manifest_maker.template = ".manifest.in"

# Each build would warn that naming an extension module in pyproject.toml is experimental.
warnings.filterwarnings("ignore", message=r"`\[tool\.setuptools\.ext-modules\]`")

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "rusage"
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

_backends = runpy.run_path(str(PACKAGE / "_backends" / "_platforms.py"))


def this_backend() -> str:
    """Return the name of the backend for the system that this interpreter runs on."""
    return str(_backends["backend_name"](sys.platform))


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
    # An absolute path: compiler messages name the file, and the generated C compiles in any
    # directory.
    files = [f"_backends/{backend}.c", *(["_launcher/parent.c"] if backend == "linux" else [])]
    includes = [f'#include "{(PACKAGE / name).as_posix()}"\n' for name in files]
    checksum = f"#define RUSAGE_SOURCES {source_checksum()}\n"
    ffi.set_source("rusage._rusage", "".join([checksum, *includes]))
    return ffi


ffibuilder = builder(this_backend())

# --- The launcher ---

# A separate program, on Linux only. rusage/_launcher/start.py starts it and explains its purpose.
LAUNCHER, LAUNCHER_SOURCE = "rusage._launcher.launcher", "rusage/_launcher/launcher.c"
LAUNCHER_FLAGS = [
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",
    "-fomit-frame-pointer",
    "-Os",
]
# One segment: loading each takes time.
LAUNCHER_LINK_FLAGS = [
    "-static",
    "-no-pie",
    "-nostdlib",
    "-s",
    "-Wl,-z,noseparate-code",
    "-Wl,--build-id=none",
]

# On i386 only SSE2 rounds the times correctly. Microsoft's compiler uses it by itself.
IS_I386 = (
    struct.calcsize("P") == 4
    and re.fullmatch(r"(?i)i.86|x86_64|amd64", platform.machine()) is not None
)
SSE2_FLAGS = ["-msse2", "-mfpmath=sse"]

# --- The build commands ---


class build_ext(_build_ext.build_ext):  # noqa: N801 (the name is setuptools')
    """Build the extension and, on Linux, the launcher."""

    def finalize_options(self) -> None:
        """Let setuptools take the launcher for a first extension, so that it knows its places."""
        modules = self.distribution.ext_modules or []
        if this_backend() == "linux" and LAUNCHER not in [module.name for module in modules]:
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
            # Without debug information, which contains the folder's path; CFLAGS may request it.
            ext.extra_compile_args += [
                *(SSE2_FLAGS if IS_I386 else []),
                *([] if "CFLAGS" in os.environ else ["-g0"]),
            ]
        if this_backend() == "linux":
            ext.extra_link_args.append("-pthread")  # pthread_atfork() before glibc 2.34
        source = os.path.join(self.build_temp, "_rusage.c")
        os.makedirs(self.build_temp, exist_ok=True)
        ffibuilder.emit_c_code(source)
        ext.sources = [source]
        super().build_extension(ext)

    def _build_launcher(self, output: str) -> None:
        """Build the launcher.

        Failure is fatal: without it, a child's ``ru_maxrss`` is unavailable.
        """
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


def plain_mode(mode: int) -> int:
    """Return the mode of a file in an archive: umask(2) is the user's."""
    return 0o755 if mode & 0o100 else 0o644


class bdist_wheel(_bdist_wheel.bdist_wheel):  # noqa: N801 (the name is setuptools')
    """Tag the wheel for the stable ABI, if it is available."""

    def finalize_options(self) -> None:
        """Set the option here: a fixed value in pyproject.toml would break free-threaded builds."""
        if HAS_STABLE_ABI:
            self.py_limited_api = STABLE_ABI
        super().finalize_options()

    def write_wheelfile(self, *args: Any, **kwargs: Any) -> None:
        """Write the last file, and give all files the modes that do not depend on umask(2)."""
        super().write_wheelfile(*args, **kwargs)
        for folder, _, names in os.walk(str(self.bdist_dir)):
            for path in (os.path.join(folder, name) for name in names):
                os.chmod(path, plain_mode(os.stat(path).st_mode))


def description(readme: str, source: str | None) -> str:
    """Return the README with links into a repository on GitHub.

    Without one, only the words of its relative links are left.
    """
    link = r"\[([^]]*)\]\((?!\w+:)(.+?)\)"
    if source is None:
        return re.sub(f"!?{link}", r"\1", readme)
    readme = re.sub(f"!{link}", rf"![\1]({source}/raw/main/\2)", readme)
    return re.sub(link, rf"[\1]({source}/blob/main/\2)", readme)


class egg_info(_egg_info.egg_info):  # noqa: N801 (the name is setuptools')
    """Write the metadata, with a description whose links do not need the source tree."""

    def run(self) -> None:
        """Change the description that setuptools has read."""
        metadata = self.distribution.metadata
        urls: dict[str, str] = metadata.project_urls  # type: ignore[attr-defined] # the stubs lack it
        metadata.long_description = description(metadata.long_description or "", urls.get("Source"))
        super().run()


class sdist(_sdist.sdist):  # noqa: N801 (the name is setuptools')
    """Make an archive that, with SOURCE_DATE_EPOCH, has the same bytes everywhere and always."""

    def make_archive(self, base_name: str, *_: object, base_dir: str, **__: object) -> str:  # type: ignore[override]
        """Give all files the same time and owner."""
        now = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))

        def alike(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime, member.uid, member.gid, member.uname, member.gname = now, 0, 0, "", ""
            member.mode = plain_mode(member.mode)
            return member

        name = f"{base_name}.tar.gz"
        with (
            gzip.GzipFile(name, "wb", mtime=now) as file,
            tarfile.open(fileobj=file, mode="w") as archive,
        ):
            archive.add(base_dir, filter=alike)
        return name


if __name__ == "__main__":
    if sys.argv[1:2] == ["--platform"]:
        builder(sys.argv[2]).emit_c_code(sys.argv[3])
    else:
        os.chdir(ROOT)
        setup(script_args=["build_ext", "--inplace", "--force"])
