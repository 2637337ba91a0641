"""Be a process of a scene: connect to ``tests/scenes.py``, and do what its lines say.

``actor.py ADDRESS [WORD]``: a path or a port, and ``thread`` if the first thread ends. A line is a
list in JSON: the name of a function below, and its arguments. Its result is the answer.
"""

import contextlib
import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO

PRIVATE: dict[str, Any] = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
)
COMMAND = [sys.executable, "-W", "ignore", __file__]  # forks while another thread runs
address: str
lines: TextIO
blocks: list[mmap.mmap] = []
programs: list["subprocess.Popen[bytes]"] = []
trees: list[Any] = []
idle: list[int] = []  # a pipe, at whose end the idle children end too


def act(where: str) -> None:
    """Obey until the other end of the socket is closed, and exit."""
    global address, lines  # noqa: PLW0603 (a process has one of each)
    address = where
    try:
        if where.isdecimal():
            connection = socket.create_connection(("127.0.0.1", int(where)))
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(where)
        lines = connection.makefile("rw")
        connection.close()
        answer(os.getpid())
        while line := lines.readline():
            word, *arguments = json.loads(line)
            answer(globals()[word](*arguments))
    except (BrokenPipeError, ConnectionResetError):
        pass
    except BaseException:
        traceback.print_exc()
    os._exit(0)


def answer(result: object) -> None:
    print(json.dumps(result), file=lines, flush=True)


# --- What a process can do ---


def burn(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() - start < seconds:
        sum(range(1000))


def touch(mebibytes: int) -> None:
    if mebibytes:
        block = mmap.mmap(-1, mebibytes << 20, **PRIVATE)
        for page in range(0, len(block), 4096):
            block[page] = 1
        blocks.append(block)


def untouch() -> None:
    while blocks:
        blocks.pop().close()


def report() -> list[Any]:
    """Return its own usage, VmHWM of /proc in bytes or 0, and its CPU time."""
    import rusage

    # The first thread may have ended.
    path = Path(f"/proc/self/task/{threading.get_native_id()}/status")
    status = path.read_text().splitlines() if path.exists() else []
    peak = next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
    return [rusage.getrusage(rusage.RUSAGE_SELF), peak, time.process_time()]


def fork() -> int:
    pid = os.fork()
    if not pid:
        lines.close()
        act(address)
    return pid


def fork_in_thread() -> None:
    warnings.simplefilter("ignore")
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()


def execute() -> int:
    programs.append(subprocess.Popen([*COMMAND, address]))
    return programs[-1].pid


def execute_here() -> None:
    os.execv(sys.executable, [*COMMAND, address])  # noqa: S606 (no shell)


def spawn(fifo: str) -> None:
    """Start cat by vfork(2), with an input that blocks the child before it executes cat."""
    action = os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0
    os.waitpid(os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=[action]), 0)


def fork_idle(number: int = 1) -> list[int]:
    """Start children that do nothing, and end after their parent."""
    idle[:] = idle or os.pipe()
    pids = []
    for _ in range(number):
        pids.append(os.fork())
        if not pids[-1]:
            lines.close()
            os.close(idle[1])
            os.read(idle[0], 1)
            os._exit(0)
    return pids


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # of those that are ignored
        os.waitpid(pid, 0)


def churn(number: int = 5) -> None:
    """Start children, which start one; all end at once, and nobody waits for the inner ones."""
    for _ in range(number):
        pid = os.fork()
        if not pid:
            os.fork()
            burn(0.002)
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def rest() -> None:
    time.sleep(0.005)


def ignore_children() -> None:
    """Let no process become a zombie."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def adopt() -> None:
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER


def sample() -> list[int]:
    """Return how many members its tree has, and how many of them may not be read."""
    import rusage

    if not trees:
        trees.append(rusage.Tree())
    return [*trees[0].sample()[3:5]]


def become_nobody() -> None:
    import conftest

    conftest.become_nobody()


def start_threads(number: int) -> None:
    for _ in range(number):
        threading.Thread(target=signal.pause).start()


if __name__ == "__main__":
    if sys.argv[2:] == ["thread"]:
        threading.Thread(target=act, args=sys.argv[1:2]).start()
        ctypes.CDLL(None).pthread_exit(None)
    act(sys.argv[1])
