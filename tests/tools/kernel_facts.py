"""Compare what the backend claims of the kernel with what the running kernel shows: ``kernel_facts.py``.

It compiles ``tests/programs/kernel_facts.c`` with the C and the claims of this system's backend, runs it for some 15
seconds, and exits with 1 if they differ. It needs a C compiler, and this package installed from a checkout.

``--write OUT.c`` writes the file instead, also for another system: for a machine or an emulator without Python. Compile
it with the checkout as a folder of headers, and start it by its absolute path.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rusage._backends import _base
from rusage._backends._platforms import PLATFORMS, backend_name
from rusage._fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from rusage._backends._base import Backend

ROOT = Path(__file__).resolve().parent.parent.parent
TOUCHED_RULES = getattr(_base, "TOUCHED_RULES", ())  # an older package has none


def mask(fields: Collection[str]) -> str:
    """Return the bits of fields, in the order of the fields."""
    return f"0x{sum(1 << bit for bit, name in enumerate(FIELDS) if name in fields):04x}"


def claims(backend: Backend) -> dict[str, str]:
    """Return what a backend claims, as macros of C."""
    found = {
        "SYSTEM": f'"{backend.name}"',
        "SELF": mask(backend.measured["RUSAGE_SELF"]),
        "CHILDREN": mask(backend.measured["RUSAGE_CHILDREN"]),
        "WAITED": mask(backend.waited),
        "MAXRSS_BYTES": str(backend.maxrss_bytes),
        "INTEGRAL_BYTES": str(backend.integral_bytes),
        "CHILD_PEAK": f'"{backend.child_peak}"',
        "PEAK_IS_OWN": str(int(backend.child_peak == _base.PEAK_OWN)),
        "PEAK_IS_TOUCHED": str(int(backend.child_peak in TOUCHED_RULES)),
        "TOUCHED": str(getattr(_base, "TOUCHED", 0)),
    }
    if "RUSAGE_THREAD" in backend.measured:
        found["THREAD"] = mask(backend.measured["RUSAGE_THREAD"])
    if "Process" not in backend.absent:
        found["PROCESS"] = mask(backend.process)
    return {f"CLAIM_{name}": value for name, value in found.items()}


def source(name: str, backend: Backend) -> str:
    """Return the text of the program for a backend."""
    lines = [
        "/* Written by tests/tools/kernel_facts.py. */",
        "#define _GNU_SOURCE",
        '#if defined(__has_include) && __has_include("bench.h") /* in place of a C library */',
        '#include "bench.h"',
        "#endif",
        f'#include "rusage/_backends/{name}.c"',
        *(f"#define {macro} {value}" for macro, value in claims(backend).items()),
        '#include "tests/programs/kernel_facts.c"',
    ]
    return "\n".join(lines) + "\n"


def backend_of(name: str, release: str | None) -> Backend:
    """Return a backend; where its claims depend on the release, of the given one or else of the running or newest."""
    module = importlib.import_module(f"rusage._backends.{name}")
    backend: Backend = module.BACKEND if release is None else module.backend(release)
    return backend


def build(text: str, folder: Path) -> Path:
    """Compile the program; return its path."""
    file, program = folder / "kernel_facts.c", folder / "kernel_facts"
    file.write_text(text)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    subprocess.run([compiler, "-O1", "-Wall", "-Wno-unused-function", f"-I{ROOT}", file, "-o", program], check=True)
    return program


def main() -> int:
    """Compare, or write the file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--platform", choices=sorted(set(PLATFORMS.values())), default=backend_name(sys.platform))
    parser.add_argument("--release", help="of the kernel, such as 7.7, for OpenBSD and NetBSD")
    parser.add_argument("--write", metavar="OUT.c", type=Path)
    arguments = parser.parse_args()
    text = source(arguments.platform, backend_of(arguments.platform, arguments.release))
    if arguments.write is not None:
        arguments.write.write_text(text)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([build(text, Path(folder))], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
