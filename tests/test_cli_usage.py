"""``python -m rusage`` without a command."""

import json
from collections.abc import Callable

import rusage
from rusage._cli._own import human


def test_one_line_per_field(python: Callable[..., str]) -> None:
    """Sixteen lines in the fields' order: name, value with unit (or "-" if not measured), meaning."""
    lines = python("-m", "rusage").splitlines()
    assert [line.split()[0] for line in lines] == list(rusage.fields)
    for line, (name, field) in zip(lines, rusage.fields.items(), strict=True):
        assert line.endswith(field.meaning)
        assert (line.split()[1] == "-") == (name not in rusage.measured())


def test_json_of_the_own_usage(python: Callable[..., str]) -> None:
    """``--json`` prints one object: a version, and each field's value, unit, meaning, and whether it is measured."""
    record = json.loads(python("-m", "rusage", "--json"))
    assert record.pop("version") == 1
    assert list(record) == list(rusage.fields)
    for name, member in record.items():
        assert member["unit"] == rusage.fields[name].unit
        assert member["meaning"] == rusage.fields[name].meaning
        assert member["measured"] == (name in rusage.measured())
        assert isinstance(member["value"], (int, float))
    assert record["ru_utime"]["value"] + record["ru_stime"]["value"] > 0


def test_bytes_in_binary_units() -> None:
    """The exact number is followed by KiB, MiB or GiB."""
    assert human(1023, "bytes") == "1023 bytes"
    assert human(1024, "bytes") == "1024 bytes (1.0 KiB)"
    assert human(2**20 - 1, "bytes") == "1048575 bytes (1024.0 KiB)"
    assert human(3 * 2**19, "bytes") == "1572864 bytes (1.5 MiB)"
    assert human(2**30, "bytes") == "1073741824 bytes (1.0 GiB)"
    assert human(2**62, "bytes").endswith("(4194304.0 TiB)")
    assert human(7, "faults") == "7 faults"
    assert human(0.5, "seconds") == "0.500000 s"
