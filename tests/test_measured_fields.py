"""The measured fields, and their meanings on this system."""

import sys
from pathlib import Path

import pytest

import rusage

TIMES_MEMORY_FAULTS_SWITCHES = frozenset(
    {"ru_utime", "ru_stime", "ru_maxrss", "ru_minflt", "ru_majflt", "ru_nvcsw", "ru_nivcsw"}
)
BLOCKS = frozenset({"ru_inblock", "ru_oublock"})


@pytest.mark.skipif(sys.platform != "linux", reason="the literal list of Linux")
@pytest.mark.parametrize("name", ["RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_THREAD", "RUSAGE_BOTH"])
def test_linux_measures_nine_fields(name: str) -> None:
    """On Linux exactly the maintained fields of getrusage(2) are measured; I/O only if /proc/self/io is there."""
    expected = TIMES_MEMORY_FAULTS_SWITCHES | (BLOCKS if Path("/proc/self/io").exists() else set())
    assert rusage.measured(getattr(rusage, name)) == expected


def test_unmeasured_fields_are_zero() -> None:
    """For every ``who``."""
    for name in rusage.__all__:
        if name.startswith("RUSAGE_"):
            who = getattr(rusage, name)
            usage = rusage.getrusage(who)._asdict()
            assert not any(usage[field] for field in usage.keys() - rusage.measured(who)), name


def test_fields_table() -> None:
    """``fields`` names the sixteen fields in order; exactly the unmeasured ones say that they are not measured."""
    assert tuple(rusage.fields) == rusage.RUsage._fields
    for name, field in rusage.fields.items():
        assert field.unit
        assert field.meaning.startswith("not measured") == (name not in rusage.measured())
    assert [rusage.fields[name].unit for name in ("ru_utime", "ru_maxrss")] == ["seconds", "bytes"]
    with pytest.raises(TypeError):  # it is one for the whole process
        rusage.fields["ru_utime"] = None  # type: ignore[index]  # the point


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of Linux")
def test_block_io_counts_512_byte_units(tmp_path: Path) -> None:
    """On Linux writing 8 MiB that must reach the device counts 16 384 units of 512 bytes; /proc/self/io agrees."""
    import os

    io = Path("/proc/self/io")
    if "ru_oublock" not in rusage.measured():
        pytest.skip(reason="this kernel does no task I/O accounting")

    def written() -> int:
        return int(next(line for line in io.read_text().splitlines() if line.startswith("write_bytes")).split()[1])

    before, bytes_before = rusage.getrusage(rusage.RUSAGE_SELF), written()
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(2**23))
        file.flush()
        os.fsync(file.fileno())
    blocks = (rusage.getrusage(rusage.RUSAGE_SELF) - before).ru_oublock
    if written() == bytes_before:
        pytest.skip(reason="this file system writes to no device")
    assert blocks * 512 == pytest.approx(written() - bytes_before, abs=64 * 1024)
    assert blocks >= 2**23 // 512
