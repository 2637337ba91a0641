"""What the command makes of known figures: a table of its functions."""

import sys
from collections.abc import Callable

import pytest

from rusage._cli import comparison, formats, gnu, series
from rusage._cli.figures import exactly, outcome, quantity
from rusage._cli.options import split


def clock(elapsed: float) -> str:
    """Return the elapsed time and the share of the CPU in a report of GNU time."""
    return gnu.report("%E %P", ["true"], 0, {"ru_utime": 1.0, "ru_stime": 1.0}, elapsed)


KNOWN = [
    # Three significant digits at least, and no more after the decimal point.
    (quantity, (0.0898, "seconds"), "89.8 ms"),
    (quantity, (0, "seconds"), "0 s"),
    (quantity, (0, "bytes"), "0 bytes"),
    (quantity, (0.00099949, "seconds"), "999 us"),
    (quantity, (0.00099951, "seconds"), "1.00 ms"),
    (quantity, (0.009996, "seconds"), "10.0 ms"),
    (quantity, (12345.6, "seconds"), "12346 s"),
    (quantity, (1000, "bytes"), "0.977 KiB"),
    (quantity, (2**62, "bytes"), "4194304 TiB"),
    (quantity, (123456, "faults"), "123456 faults"),
    (quantity, (1.25, "byte-seconds"), "1.25 byte-seconds"),
    (exactly, (999, "bytes"), "999 bytes"),
    (exactly, (1000, "bytes"), "1000 bytes (1.0 KiB)"),
    (exactly, (2**20 - 1, "bytes"), "1048575 bytes (1.0 MiB)"),
    (exactly, (2**62, "bytes"), f"{2**62} bytes (4194304.0 TiB)"),
    (exactly, (0.5, "seconds"), "0.500000 s"),
    (outcome, (-99,), "signal 99"),  # which has no name
    # As many decimals, or one digit of the deviation.
    (comparison.plus_minus, (89.84, 1.23), "89.8\xb11.2"),
    (comparison.plus_minus, (101.46, 0.26), "101\xb10.3"),
    (comparison.plus_minus, (1.2345, 0.0004), "1.23\xb10.0004"),
    (comparison.plus_minus, (2.0, 0.0), "2\xb10"),
    (comparison.plus_minus, (5.0, None), "5"),
    # A star where the intervals of the ratios leave out 1. A slow round adds no uncertainty.
    (comparison.smallest, ([[1.0, 1.1, 0.9], [9.0, 9.1, 8.9]],), 0),
    (comparison.smallest, ([[9.0, 9.1, 8.9], [1.0, 1.1, 0.9], [5.0, 5.1, 4.9]],), 1),
    (comparison.smallest, ([[9.0, 9.1, 8.9], [1.0, 1.1, 0.9], [1.1, 0.9, 1.0]],), None),
    (comparison.smallest, ([[1.0, 1.1, 0.9], [1.1, 1.0, 1.0]],), None),
    (comparison.smallest, ([[1.0, 2.0, 3.0], [1.1, 2.2, 3.3]],), 0),  # in each round, by a tenth
    (comparison.smallest, ([[1.0, 1.0], [1.0, 1.0]],), None),
    (comparison.smallest, ([[1.0, 1.1, 0.9], [100.0, 900.0, 1.0]],), None),
    (comparison.smallest, ([[1.0], [2.0]],), None),
    (comparison.smallest, ([[0.0, 0.0], [2.0, 2.0]],), None),
    (comparison.smallest, ([[1.0, 1.0]],), None),  # there is nothing that it is smaller than
    (comparison.ratio, ([2.0, 4.0, 8.0], [1.0, 2.0, 4.0]), (2, 0)),
    (comparison.ratio, ([1.0, 2.0], [0.0, 0.0]), None),
    (comparison.ratio, ([3.0], [2.0]), (1.5, None)),
    *(
        (comparison.student, (freedom,), pytest.approx(quantile, abs=2e-4))  # of a printed table
        for freedom, quantile in [(1, 12.7062), (2, 4.3027), (5, 2.5706), (9, 2.2622), (19, 2.0930), (99, 1.9842)]
    ),
    (series.progress, (0, 0, 10, 0.0), "rusage: run 1 of 10"),
    (series.progress, (1, 0, 10, 0.01), "rusage: run 2 of 10, about 1 s left"),
    (series.progress, (4, 0, 10, 8.0), "rusage: run 5 of 10, about 12 s left"),
    # Nothing ends a cell or its code.
    (formats.code, ("a b",), "`a b`"),
    (formats.code, ("a | b",), r"`a \| b`"),
    (formats.code, ("a `b`",), "`` a `b` ``"),
    (formats.code, ("a\nb",), "`a b`"),
    (clock, (0.0,), "0:00.00 ?%"),
    (clock, (59.999,), "0:59.99 3%"),
    (clock, (3599.999,), "59:59.99 0%"),
    (clock, (3600.0,), "1:00:00 0%"),
    (clock, (36061.5,), "10:01:01 0%"),
]


@pytest.mark.parametrize(("function", "arguments", "expected"), KNOWN)
def test_known_figures(function: Callable[..., object], arguments: tuple[object, ...], expected: object) -> None:
    """Few runs of the command show such figures."""
    assert function(*arguments) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows programs split their own command lines")
def test_command_line_in_words() -> None:
    """Quotes and backslashes as in a shell; operators in quotes, after a backslash and within a word are arguments."""
    line = r"""printf %s '|' "a; b" \& \; 'x' a|b http://x/?a=1&b=2 print(1>0) 2 ">" it\'s "\"'" '' """
    words = ["printf", "%s", "|", "a; b", "&", ";", "x", "a|b", "http://x/?a=1&b=2", "print(1>0)", "2", ">"]
    assert split(line) == [*words, "it's", "\"'", ""]
