"""Start programs with limits while RLIMIT_STACK is small, and print the outcomes: ``python small_stack.py KIB SIZE``.

SIZE: bytes of the program's argument. The stack of the first thread would not grow, so another thread starts them.
"""

import collections
import resource
import sys
import threading

import rusage

FEW = {resource.RLIMIT_CORE: (0, 0)}
REFUSED = {resource.RLIMIT_NOFILE: (2**50, 2**50)}


def outcome(rlimits: dict[int, tuple[int, int]], size: int) -> object:
    """Return how a start ends."""
    try:
        return rusage.run(["true", "x" * size], rlimits=rlimits).returncode
    except ValueError as error:
        return str(error)


def main(kib: int, size: int) -> None:
    """Start programs with a limit that is refused; where they can run, also with a limit that is set."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (kib * 1024, hard))
    limits = [REFUSED] if kib < 52 else [REFUSED, FEW]
    # The kernel chooses the first address of each stack at random.
    print(collections.Counter(str(outcome(rlimits, size)) for rlimits in limits for _ in range(40)))


thread = threading.Thread(target=main, args=map(int, sys.argv[1:]))
rusage.run(["true"])  # imports what it needs
thread.start()
thread.join()
