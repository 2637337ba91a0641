"""Sizes as users write them."""

import pytest

from rusage._units import parse_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4096),
        ("500M", 524288000),
        ("1.5 G", 1610612736),
        (" 1.5 GiB\n", 1610612736),
        ("0.1 KiB", 102),
        ("2TiB", 2199023255552),
        ("0.0000000001 GiB", 0),
        ("9007199254740993 KiB", 9223372036854776832),  # no float has this value
        ("18446744073709551615", 18446744073709551615),
        (f"{'0' * 5000}1.{'9' * 5000} TiB", 2199023255551),
        ("0.0000000000009094947017729282379150390625 TiB", 1),  # 2**-40
        ("0.00000000000090949470177292823791503906249999 TiB", 0),
    ],
)
def test_parse_size(text: str, expected: int) -> None:
    """The values are from bc(1)."""
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "MiB", "1.5", ".5 MiB", "1. MiB", "1.2.3 MiB", "-1", "+1", "1e3", "1_000"),
        *("nan", "100 MB", "100 mib", "100 k", "100 B", "1 MiB MiB", "1 0 MiB"),
        "\u0661 MiB",
    ],
)
def test_parse_size_rejects(text: str) -> None:
    expected = "expected a number of bytes, or one with K, M, G or T"
    with pytest.raises(ValueError, match=expected) as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["18446744073709551616", "16777216 TiB", "9" * 5000, f"{'9' * 5000}.5 GiB"], ids=len
)
def test_parse_size_rejects_large_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"too large a size: .* less than 2\*\*64 bytes") as caught:
        parse_size(text)
    assert text[:40] in str(caught.value)
    assert len(str(caught.value)) < 120
