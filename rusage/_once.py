"""An object that only one of several callers can take."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


def take(objects: list[T]) -> T | None:
    """Return the object in a list, and remove it; None if it has been taken.

    In one step, since another thread or a signal handler may want it at any point. A lock would be
    two steps: an exception that a handler raises between them would leave it locked.
    """
    try:
        return objects.pop()
    except IndexError:
        return None
