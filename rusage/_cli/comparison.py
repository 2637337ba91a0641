"""What is significant in a comparison of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures import FIGURES
from .summary import ratio_of

if TYPE_CHECKING:
    from .figures import Series


def compare(found: list[Series]) -> None:
    """Set the ratios to the first command's figures, and where the smallest figures are."""
    for name in in_all(found):
        for each in found:
            if 0 not in each.columns[name] and 0 not in found[0].columns[name]:
                each.ratios[name] = ratio_of(each.columns[name], found[0].columns[name])
        if len(found) > 1 and all(name in each.ratios for each in found):
            least = min(found, key=lambda each: each.ratios[name].ratio)
            others = [each.columns[name] for each in found if each is not least]
            to_least = [ratio_of(values, least.columns[name]) for values in others]
            if all(ratio.low is not None and ratio.low > 1 for ratio in to_least):
                least.smallest.add(name)


def in_all(found: list[Series]) -> list[str]:
    """Return the figures that are compared, if all commands have them."""
    return [
        name
        for name, figure in FIGURES.items()
        if figure.compared and all(name in each.columns for each in found)
    ]
