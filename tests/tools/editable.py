"""Check README's own installation, ``pip install -e .``: ``python tests/tools/editable.py``.

A copy of the source tree is installed in a new venv. ``import rusage`` must find the package, and mypy and pyright its
types, both from the folder that holds the copy and from elsewhere. The copy's folder is called ``rusage``, as a clone's
is: it has no ``__init__.py``, so with an import hook in the place of a path it would be an empty namespace package.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = [
    "pyproject.toml",
    "rusage_build.py",
    "README.md",
    "LICENSE",
    "docs/rusage.1",
    "docs/completions",
    "rusage",
]  # what is built
USE = 'import rusage; assert rusage.maxrss() > 0; assert rusage.run(["true"]).returncode == 0'


def copy(target: Path) -> None:
    """Copy the files that an installation needs, without what another one has built."""
    for name in PARTS:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            built = shutil.ignore_patterns("__pycache__", "_rusage*.so", "_rusage*.pyd", "launcher")
            shutil.copytree(ROOT / name, target / name, ignore=built)
        else:
            shutil.copy(ROOT / name, target / name)


def main() -> int:
    """Install, run all checks in both folders; return the exit status."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        parent, elsewhere = Path(name, "parent"), Path(name, "elsewhere")
        copy(parent / "rusage")
        elsewhere.mkdir()
        subprocess.run([sys.executable, "-m", "venv", Path(name, "venv")], check=True)
        python = str(Path(name, "venv", "Scripts" if sys.platform == "win32" else "bin", "python"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-e", "."], cwd=parent / "rusage", check=True)
        for folder in parent, elsewhere:
            example = str(folder / "typing_example.py")
            shutil.copy(ROOT / "tests" / "typing_example.py", example)
            for command in (
                [python, "-c", USE],
                [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, example],
                [sys.executable, "-m", "pyright", "--pythonpath", python, example],
            ):
                done = subprocess.run(command, cwd=folder, check=False, text=True, capture_output=True)
                if done.returncode:
                    failed = 1
                    print(f"{folder.name}: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
