"""What the command makes of known figures: a table of its functions."""

import sys
from collections.abc import Callable

import pytest

from rusage._cli import formats, gnu, series, summary
from rusage._cli.figures import exactly, outcome, quantity
from rusage._cli.options import split


def clock(elapsed: float) -> str:
    return gnu.report("%E %P", ["true"], 0, {"ru_utime": 1.0, "ru_stime": 1.0, "elapsed": elapsed})


KNOWN = [
    # Three significant digits at least, and no more after the decimal point.
    (quantity, (0, "seconds"), "0 s"),
    (quantity, (0, "bytes"), "0 bytes"),
    (quantity, (1, "bytes"), "1 byte"),
    (quantity, (1, "switches"), "1 switch"),
    (quantity, (1, "faults"), "1 fault"),
    (quantity, (0.001, "seconds"), "1 ms"),
    (quantity, (0.00099949, "seconds"), "999 us"),
    (quantity, (0.00099951, "seconds"), "1.00 ms"),
    (quantity, (0.009996, "seconds"), "10.0 ms"),
    (quantity, (12345.6, "seconds"), "12346 s"),
    (quantity, (1000, "bytes"), "0.977 KiB"),
    (quantity, (2**62, "bytes"), "4194304 TiB"),
    (quantity, (123456, "faults"), "123456 faults"),
    (quantity, (1.25, "byte-seconds"), "1.25 byte-seconds"),
    (exactly, (1, "bytes"), "1 byte"),
    (exactly, (999, "bytes"), "999 bytes"),
    (exactly, (1000, "bytes"), "1000 bytes (1.0 KiB)"),
    (exactly, (2**20 - 1, "bytes"), "1048575 bytes (1.0 MiB)"),
    (exactly, (0.5, "seconds"), "0.500000 s"),
    (outcome, (-99,), "signal 99"),  # which has no name
    # The digits that the interval justifies; a difference is never shown as 1.
    (summary.Ratio(1.0805, 1.0003, 1.1607).in_words, (), "1.08 (1.00 to 1.16)"),
    (summary.Ratio(1.6, 1.1, 2.1).in_words, (" times",), "1.6 times (1.1 to 2.1)"),
    (summary.Ratio(8.2, 1.34, 17.1).in_words, (), "8.2 (1.3 to 17.1)"),
    (summary.Ratio(97.2, 12.3, 177).in_words, (), "97 (12 to 177)"),
    (summary.Ratio(1.5, 1.49, 1.9).in_words, (), "1.50 (1.49 to 1.90)"),
    (summary.Ratio(1.00031, 1.00031, 1.5).in_words, (), "1.0003 (1.0003 to 1.5000)"),
    (summary.Ratio(1.0001, 0.95, 1.05).in_words, (), "1.00 (0.95 to 1.05)"),
    (summary.Ratio(0.00123, 0.00123, 0.00123).in_words, (), "0.00123"),
    # Of a printed table of the signed-rank test, one-sided 2.5 %: the largest sum that is
    # significant, and 1.
    *((summary.rank_of_ends, (rounds,), k) for rounds, k in [(5, 0), (6, 1), (12, 14), (50, 435)]),
    (summary.rank_of_ends, (100,), pytest.approx(1956, abs=1)),
    (summary.ratio_of, ([3.0], [2.0]), (pytest.approx(1.5), None, None)),
    (series.progress, (0, 0, 10, 0.0), "rusage: run 1 of 10"),
    (series.progress, (1, 0, 10, 0.01), "rusage: run 2 of 10, about 1 s left"),
    (series.progress, (4, 0, 10, 8.0), "rusage: run 5 of 10, about 12 s left"),
    # Nothing ends a cell or its code.
    (formats.as_code, ("a | b",), r"`a \| b`"),
    (formats.as_code, ("a `b`",), "`` a `b` ``"),
    (formats.as_code, ("a\nb",), "`a b`"),
    (clock, (0.0,), "0:00.00 ?%"),
    (clock, (3599.999,), "59:59.99 0%"),
    (clock, (3600.0,), "1:00:00 0%"),
    (clock, (36061.5,), "10:01:01 0%"),
]


@pytest.mark.parametrize(("function", "arguments", "expected"), KNOWN)
def test_known_figures(
    function: Callable[..., object], arguments: tuple[object, ...], expected: object
) -> None:
    """Few runs of the command show such figures."""
    assert function(*arguments) == expected


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows programs split their own command lines"
)
def test_command_line_in_words() -> None:
    """Operators in quotes, after a backslash and within a word are arguments."""
    line = (
        r"""printf %s '|' "a; b" \& \; 'x' a|b http://x/?a=1&b=2 print(1>0) 2 ">" it\'s "\"'" '' """
    )
    words = ["printf", "%s", "|", "a; b", "&", ";", "x", "a|b", "http://x/?a=1&b=2"]
    assert split(line) == [*words, "print(1>0)", "2", ">", "it's", "\"'", ""]
