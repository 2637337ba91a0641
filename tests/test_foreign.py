"""``tests/tools/foreign.py``, except for booting."""

from pathlib import Path

import foreign
import pytest


@pytest.mark.parametrize("name", foreign.PROCESSORS)
def test_disks_of_a_machine(tmp_path: Path, name: str) -> None:
    """Linux names disks in their order: the initramfs mounts the first, and the shell reads the second."""
    command = foreign.machine(tmp_path, name, "7.2", "echo $X")
    disks = [Path(word[len("file=") :].partition(",")[0]) for word in command if word.startswith("file=")]
    assert disks == [tmp_path / "root.img", tmp_path / "job"]
    assert "mount -t ext4 /dev/vda /root" in foreign.INIT
    assert foreign.INIT.endswith(" /dev/vdb\n")
    assert "\necho $X\n" in (tmp_path / "job").read_text()


def test_chosen_files_exist() -> None:
    """A renamed file would end the run with an error."""
    assert all((Path(__file__).parent / f"test_{name}.py").exists() for name in foreign.FILES)
