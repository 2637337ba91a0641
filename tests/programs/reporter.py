"""Do what lines of standard input say; answer each with this process's own usage, in JSON."""

import ctypes
import json
import mmap
import sys
import threading
import time
from pathlib import Path

import rusage

MIB = 2**20
blocks: list[mmap.mmap] = []


def burn(seconds: str) -> None:
    """Use CPU time, in user and system mode."""
    start = time.process_time()
    while time.process_time() - start < float(seconds):
        sum(range(1000))


def touch(mebibytes: str) -> None:
    """Use memory, which takes page faults."""
    block = mmap.mmap(-1, int(mebibytes) * MIB)
    for page in range(0, len(block), 4096):
        block[page] = 1
    blocks.append(block)


def untouch() -> None:
    """Give the memory back."""
    while blocks:
        blocks.pop().close()


def high_water_mark() -> int:
    """Return VmHWM of /proc/self/status in bytes, 0 without it. The first thread may have ended."""
    path = Path(f"/proc/self/task/{threading.get_native_id()}/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def answer() -> None:
    """Obey one line after the other."""
    for line in sys.stdin:
        command, *arguments = line.split()
        if command != "report":
            globals()[command](*arguments)
        usage = rusage.getrusage(rusage.RUSAGE_SELF)
        print(json.dumps([usage, high_water_mark(), time.process_time()]), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["without_first_thread"]:
        threading.Thread(target=answer).start()
        ctypes.CDLL(None).pthread_exit(None)
    answer()
