"""Check the tag of a release and print its notes: ``python tests/tools/release.py vVERSION``.

The tag must be the version in ``rusage/__init__.py``, and ``CHANGELOG.md`` must begin with a dated section for it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def package_version(module: str) -> str:
    """Return the version in the text of the package's main module."""
    (version,) = re.findall(r'^__version__ = "(.+)"$', module, re.MULTILINE)
    return str(version)


def notes(changelog: str, tag: str, version: str) -> str:
    """Return the text of the first section of a changelog; raise ValueError if the tag does not fit."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, but the version is {version}")
    heading, _, text = changelog.partition("\n## ")[2].partition("\n")
    if not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", heading):
        raise ValueError(f"the first section of the changelog is {heading!r}, not '[{version}] - YYYY-MM-DD'")
    return text.partition("\n## ")[0].strip()


def main() -> None:
    """Check the tag that is given as argument."""
    version = package_version((ROOT / "rusage" / "__init__.py").read_text(encoding="utf-8"))
    try:
        print(notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), sys.argv[1], version))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
