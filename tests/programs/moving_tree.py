"""Be a tree of up to COUNT processes that do random things and write a log.

``moving_tree.py SEED COUNT LOG WAYS``. WAYS are words: "ignore" ignores SIGCHLD, so that no process
waits; "kill" lets processes kill others. LOG is a file descriptor. A line has a process ID, an
event, a time and a number. A process is alive from its "start" until its "end".
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time

OPTIONS = ["-S", "-W", "ignore"]  # forks while another thread runs


class Moving:
    """One process of the tree."""

    def __init__(self, seed: int, budget: int, log: int, ways: set[str]) -> None:
        self.random, self.budget, self.log, self.ways = random.Random(seed), budget, log, ways
        self.children: list[int] = []

    def write(self, event: str, number: float = 0, pid: int = 0) -> None:
        """Write a line of the log, in one piece."""
        os.write(
            self.log, f"{pid or os.getpid()} {event} {time.monotonic()!r} {number!r}\n".encode()
        )

    def live(self) -> None:
        """Do random things, and end."""
        acts = [self.burn, self.burn, self.rest, self.rest, self.fork, self.fork, self.orphan]
        # A process that is killed never continues the child that it has stopped.
        acts += [self.fork_in_thread, self.wait, self.kill if "kill" in self.ways else self.stop]
        for _ in range(self.random.randint(3, 12)):
            self.random.choice(acts)()
        if self.random.random() < 0.7:
            while self.children:
                self.wait()
        self.write("end", time.process_time())
        os._exit(0)

    def burn(self) -> None:
        """Use CPU time."""
        end = time.process_time() + self.random.choice([0.001, 0.005, 0.015])
        while time.process_time() < end:
            sum(range(500))

    def rest(self) -> None:
        """Do nothing for a moment."""
        time.sleep(self.random.choice([0, 0.001, 0.01]))

    def is_child(self) -> bool:
        """Start a child; return whether this is it."""
        before = time.monotonic()
        pid = os.fork()
        self.write("born", before, pid)
        if pid:
            self.children.append(pid)
            return False
        self.children = []
        self.write("start", os.getppid())
        return True

    def fork(self) -> None:
        """Start a child, which may execute the program anew."""
        if self.budget < 1:
            return
        given = self.random.randint(0, self.budget - 1)
        self.budget -= 1 + given
        seed, executes = self.random.random(), self.random.random() < 0.2
        if not self.is_child():
            return
        if executes:
            words = [seed, given, self.log, *self.ways, "again"]
            os.execv(sys.executable, [sys.executable, *OPTIONS, __file__, *map(str, words)])  # noqa: S606 (no shell)
        Moving(int(seed * 1e9), given, self.log, self.ways).live()

    def fork_and_rest(self) -> None:
        """Start a child, and go on for a while."""
        self.fork()
        time.sleep(0.01)

    def fork_in_thread(self) -> None:
        """Start a child by another thread."""
        thread = threading.Thread(target=self.fork_and_rest)
        thread.start()
        if self.random.random() < 0.5:
            thread.join()

    def orphan(self) -> None:
        """Start a child whose parent ends at once."""
        if self.is_child():
            self.fork()
            self.write("end", time.process_time())
            os._exit(0)

    def wait(self) -> None:
        """Wait for a child."""
        if self.children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.children.pop(self.random.randrange(len(self.children))), 0)

    def stop(self) -> None:
        """Stop a child for a moment."""
        if self.children:
            pid = self.random.choice(self.children)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.005)
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill a child, which does not write its end."""
        if self.children:
            pid = self.children.pop()
            self.write("end", 0, pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


if __name__ == "__main__":
    seed, count, log, *ways = sys.argv[1:]
    if "ignore" in ways:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.set_inheritable(int(log), True)  # noqa: FBT003 (takes no keyword)
    process = Moving(int(float(seed) * 1e9), int(count), int(log), {*ways} - {"again"})
    if "again" not in ways:
        process.write("start", os.getppid())
    process.live()
