"""A thing that one caller can take, and nobody else afterwards."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


def take(things: list[T]) -> T | None:
    """Return the thing in a list, and remove it; None if there is none any more.

    In one step, since another thread or a signal handler may want it at any point. A lock would be
    two steps: an exception that a handler raises between them would leave it locked.
    """
    try:
        return things.pop()
    except IndexError:
        return None
