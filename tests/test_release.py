"""The tag and the notes of a release."""

import re
from pathlib import Path

import pytest
from release import notes, package_version

import rusage

ROOT = Path(__file__).parent.parent
CHANGELOG = """# Changelog

## [1.2.0] - 2027-01-31

### Added

- One.

## [1.1.0] - 2027-01-01

- Two.
"""


def test_version_of_the_package() -> None:
    """Read without an import."""
    assert package_version((ROOT / "rusage" / "__init__.py").read_text(encoding="utf-8")) == rusage.__version__


def test_notes() -> None:
    """Only the section of the version."""
    assert notes(CHANGELOG, "v1.2.0", "1.2.0") == "### Added\n\n- One."


@pytest.mark.parametrize(
    ("tag", "version", "changelog"),
    [
        ("v1.2.1", "1.2.0", CHANGELOG),
        ("1.2.0", "1.2.0", CHANGELOG),
        ("v1.1.0", "1.1.0", CHANGELOG),
        ("v1.2.0", "1.2.0", CHANGELOG.replace("[1.2.0] - 2027-01-31", "[Unreleased]")),
        ("v1.2.0", "1.2.0", CHANGELOG.replace(" - 2027-01-31", "")),
        ("v1.2.0", "1.2.0", ""),
    ],
)
def test_refused_tags(tag: str, version: str, changelog: str) -> None:
    """Another version's, and one whose changelog is not ready."""
    with pytest.raises(ValueError, match=re.escape(version)):
        notes(changelog, tag, version)


def test_changelog_headings() -> None:
    """The newest section is "Unreleased" or the version's; no version stands twice."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    versions = [heading.split(" - ")[0] for heading in headings]
    assert versions[0] in {"[Unreleased]", f"[{rusage.__version__}]"}
    assert len(set(versions)) == len(versions)
