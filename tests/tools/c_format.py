"""Check the C files with clang-format, and the width of their comments, which it does not break."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLUMNS = 100

files = [path for folder in ("rusage", "tests") for path in sorted((ROOT / folder).rglob("*.[ch]"))]
wide = [
    f"{path}:{number}: more than {COLUMNS} columns"
    for path in [*files, *(ROOT / "rusage").rglob("*.cdef")]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    if len(line) > COLUMNS
]
subprocess.run(["clang-format", "--dry-run", "--Werror", *files], check=True)  # noqa: S607
sys.exit("\n".join(wide) or 0)
