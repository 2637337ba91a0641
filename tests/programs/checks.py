"""What several of these programs check, and how they choose what to check."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import rusage

Error = TypeVar("Error", bound=Exception)


@contextlib.contextmanager
def raises(kind: type[Error]) -> Iterator[list[Error]]:
    """Fail if a block does not raise an exception of this kind; yield a list that receives it."""
    caught: list[Error] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    assert caught, f"no {kind.__name__}"


def check(*, isolated: bool = True, **keywords: Any) -> None:
    """Start a child that must have its status, and its peak only if isolated; a missing program must be an error."""
    done = rusage.run(["sh", "-c", "exit 5"], **keywords)
    assert done.returncode == 5, done
    assert ("ru_maxrss" in done.measured) is isolated, done.measured
    assert (done.rusage.ru_maxrss > 0) is isolated, done.rusage
    with raises(FileNotFoundError) as caught:
        rusage.run(["/no/such/program"], **keywords)
    assert caught[0].filename == "/no/such/program"


def nothing_is_left() -> None:
    """Fail if this process has a child."""
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError(left)


def main(*functions: Callable[..., None]) -> None:
    """Call the function that the first argument names, with the other arguments."""
    {function.__name__: function for function in functions}[sys.argv[1]](*sys.argv[2:])
