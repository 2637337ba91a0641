"""The commands of the README and of ``.ci/run``."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CI = ROOT / ".ci" / "run"


@pytest.mark.skipif(not CI.exists(), reason="the sdist does not contain .ci/run")
def test_ci_runs_the_readme_command() -> None:
    """Line by line, except for the installation of Debian packages."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Tests\n", 1)[1]
    lines = section.split("\n```sh\n", 1)[1].split("\n```\n", 1)[0].splitlines()
    commands = [line for line in lines if not line.startswith("apt-get ")]
    assert commands
    run = [line.strip() for line in CI.read_text(encoding="utf-8").splitlines()]
    start = run.index(commands[0])
    assert run[start : start + len(commands)] == commands
