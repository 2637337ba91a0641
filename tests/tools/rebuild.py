"""Check that the sdist builds without network and isolation, and to the same wheel in every folder.

``python tests/tools/rebuild.py FOLDER``, where the folder has the sdist; ``tox -e package`` does it. The environment
needs what ``build-system.requires`` in pyproject.toml names.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# Nothing listens on the port "discard". The time is the one of the files in the wheels.
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "SOURCE_DATE_EPOCH": "1700000000"}
BUILD = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]


def build(sdist: Path, folder: Path) -> Path:
    """Unpack the sdist in a folder, build there and return the wheel."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    environment = {**os.environ, **OFFLINE}
    environment.pop("CFLAGS", None)  # may request debug information
    subprocess.run([*BUILD, "--wheel-dir", folder / "dist", source], check=True, env=environment)
    (wheel,) = (folder / "dist").iterdir()
    return wheel


def main() -> int:
    """Build twice; return 1 if the wheels differ."""
    (sdist,) = Path(sys.argv[1]).glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as name:
        wheels = [build(sdist, Path(name, folder)) for folder in ("a", "another-folder")]
        same = wheels[0].read_bytes() == wheels[1].read_bytes()
    print(f"{wheels[0].name}: {'the same' if same else 'not the same'} in two folders")
    return not same


if __name__ == "__main__":
    sys.exit(main())
