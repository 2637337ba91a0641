"""The text of ``--help``."""

from __future__ import annotations

from ._options import EXAMPLES, OPTIONS, SUMMARY, spelling


def help_text() -> str:
    """Return what ``--help`` prints: lines of at most 80 columns."""
    lines = ["usage: rusage [option ...] [--] [command [argument ...]]", SUMMARY]
    for title, group in OPTIONS.items():
        lines += ["", f"{title}:"]
        for option in group:
            first = f"{'' if option.letter else '    '}{', '.join(spelling(option))}"
            if option.value:
                first += f" {option.value}"
            lines.append(f"  {first:<28} {option.text}")
    return "\n".join([*lines, "", "Examples:", *(f"  {example}" for example, _ in EXAMPLES)])
