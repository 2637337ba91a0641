"""``python -m rusage`` without a command."""

import json
from collections.abc import Callable

import rusage
from rusage._cli.figures import exactly, quantity


def test_own_usage_fits_80_columns(python: Callable[..., str]) -> None:
    """The fields in their order: name, value with unit (or "-" if not measured), meaning; then what to do next."""
    text, hint = python("-m", "rusage").rstrip("\n").rsplit("\n\n", 1)
    assert "rusage COMMAND" in hint
    assert "rusage --help" in hint
    lines = text.splitlines()
    assert max(map(len, [*lines, *hint.splitlines()])) <= 80
    starts = [at for at, line in enumerate(lines) if not line.startswith(" ")]
    assert [lines[at].split()[0] for at in starts] == list(rusage.fields)
    (column,) = {len(line) - len(line.lstrip()) for line in lines if line.startswith(" ")} or {lines[0].index("user")}
    for at, end, (name, field) in zip(starts, [*starts[1:], None], rusage.fields.items(), strict=True):
        value = lines[at][len(name) : column].strip()
        assert (value == "-") == (name not in rusage.measured())
        shown = " ".join(line[column:] for line in lines[at:end])
        assert field.meaning == shown or (field.meaning.startswith(f"{shown}; ") and len(lines[at:end]) <= 3)


def test_quantities_in_units_that_suit() -> None:
    """Three significant digits at least, and no more after the decimal point."""
    assert quantity(0.0898, "seconds") == "89.8 ms"
    assert quantity(0, "seconds") == "0 s"
    assert quantity(0, "bytes") == "0 bytes"
    assert quantity(0.00099949, "seconds") == "999 us"
    assert quantity(0.00099951, "seconds") == "1.00 ms"
    assert quantity(0.009996, "seconds") == "10.0 ms"
    assert quantity(12345.6, "seconds") == "12346 s"
    assert quantity(1845494, "bytes") == "1.76 MiB"
    assert quantity(1000, "bytes") == "0.977 KiB"
    assert quantity(999, "bytes") == "999 bytes"
    assert quantity(2**62, "bytes") == "4194304 TiB"
    assert quantity(123456, "faults") == "123456 faults"
    assert quantity(1.25, "byte-seconds") == "1.25 byte-seconds"


def test_json_of_the_own_usage(python: Callable[..., str]) -> None:
    """``--json`` prints a line with one object: a version, and value, unit, meaning, and error of each field."""
    printed = python("-m", "rusage", "--json")
    assert printed.count("\n") == 1
    record = json.loads(printed)
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
    assert exactly(1023, "bytes") == "1023 bytes"
    assert exactly(1024, "bytes") == "1024 bytes (1.0 KiB)"
    assert exactly(2**20 - 1, "bytes") == "1048575 bytes (1024.0 KiB)"
    assert exactly(3 * 2**19, "bytes") == "1572864 bytes (1.5 MiB)"
    assert exactly(2**30, "bytes") == "1073741824 bytes (1.0 GiB)"
    assert exactly(2**62, "bytes").endswith("(4194304.0 TiB)")
    assert exactly(7, "faults") == "7 faults"
    assert exactly(0.5, "seconds") == "0.500000 s"
