"""What the backend claims of this system's kernel, beside what the kernel shows.

Run it on each system that you can reach, and after a change of a backend.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import linux

import rusage
from rusage._backends import BACKEND
from rusage._rusage import lib

if sys.platform == "win32":
    pytest.skip("tests/test_windows.py has the facts of Windows", allow_module_level=True)

MIB = 2**20
PAGES = 64 * MIB // rusage.getpagesize()
# Print by how much the usage grows in each action, the usage at the end, and VmHWM, or 0 without one.
PROGRAM = """
import json, mmap, os, re, signal, socket, subprocess, sys, threading, time
import rusage

blocks = []
measured = rusage.measured()

def touch(size=64 << 20):
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # a fault for each page
        block.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(0, size, mmap.PAGESIZE):
        block[page] = 1
    blocks.append(block)

def burn():
    end = rusage.cputime() + 0.3  # some ticks, by which some kernels sample sizes
    while rusage.cputime() < end:
        pass

def exchange():
    one, other = socket.socketpair()
    for _ in range(10):
        one.send(b"x")
        other.recv(1)

def handle():
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for _ in range(10):
        os.kill(os.getpid(), signal.SIGUSR1)

def rest():  # in other threads than the first, whose switches alone are in /proc/PID/status
    threads = [threading.Thread(target=lambda: [time.sleep(0.0002) for _ in range(100)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def compete():
    others = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    before, end = rusage.getrusage(0).ru_nivcsw, time.monotonic() + 10
    while rusage.getrusage(0).ru_nivcsw == before and time.monotonic() < end:
        pass
    for other in others:
        other.kill()
        other.wait()

def grown(*actions):
    before = rusage.getrusage(0)
    for action in actions:
        action()
    return rusage.getrusage(0) - before

# A peak that was inherited from the parent has to be reached before it can grow.
inherited = rusage.maxrss()
while "ru_maxrss" in measured and rusage.maxrss() <= inherited and len(blocks) < 1024:
    touch(1 << 20)
before = rusage.maxrss()
growth = {"touch": grown(touch, burn), "exchange": grown(exchange), "handle": grown(handle), "rest": grown(rest)}
growth["touch"] = growth["touch"]._replace(ru_maxrss=growth["touch"].ru_maxrss - before)
growth["compete"] = grown(*[compete] * ("ru_nivcsw" in measured))
try:
    mark = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
except OSError:
    mark = None
print(json.dumps([growth, rusage.getrusage(0), rusage.maxrss(), int(mark[1]) * 1024 if mark else 0]))
"""
# What an action makes a field grow by: at least and at most.
GROWTH: dict[tuple[str, str], tuple[float, float]] = {
    ("touch", "ru_maxrss"): (56 * MIB, 80 * MIB),
    ("touch", "ru_minflt"): (PAGES, PAGES * 1.1 + 200),
    ("exchange", "ru_msgsnd"): (10, 10),
    ("exchange", "ru_msgrcv"): (10, 10),
    ("handle", "ru_nsignals"): (10, 10),
    ("rest", "ru_nvcsw"): (270, 10**4),
    ("compete", "ru_nivcsw"): (1, 10**6),
}
# How much a child may use after its own last reading.
SLACK = {"ru_utime": 1, "ru_stime": 1, "ru_nvcsw": 20, "ru_nivcsw": 1000, "ru_nsignals": 0, "ru_msgrcv": 0}
SLACK["ru_inblock"] = 5000  # the interpreter's end may be read from the disk again


def test_growth_of_each_field() -> None:
    """A field grows by what the process does; both ways to ask for the peak, and Linux's VmHWM, agree.

    What is said of the child when it has ended is what it has read of itself, and a little.
    """
    before = rusage.getrusage(rusage.RUSAGE_CHILDREN)
    done = rusage.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    children = rusage.getrusage(rusage.RUSAGE_CHILDREN) - before
    growth, last, peak, mark = json.loads(done.stdout)
    used = {action: rusage.RUsage._make(values) for action, values in growth.items()}
    own, measured = rusage.RUsage._make(last), rusage.measured()
    for (action, name), (least, most) in GROWTH.items():
        if name in measured:
            assert least <= getattr(used[action], name) <= most, (action, name)
    assert used["touch"].cputime >= 0.3
    if "ru_ixrss" in measured:  # per second of CPU time: the size of the program, its memory and its stack
        assert 4096 < sum(used["touch"][3:6]) / used["touch"].cputime < 4096 * MIB
    if "ru_maxrss" in measured:
        assert peak == pytest.approx(own.ru_maxrss, abs=2 * MIB)
    if mark:
        assert peak == pytest.approx(mark, abs=2 * MIB)
    for name in done.measured & measured:
        least, value = getattr(own, name), getattr(done.rusage, name)
        if name in {"ru_utime", "ru_stime"}:  # ticks
            least -= 0.03
        assert least <= value + (2 * MIB if name == "ru_maxrss" else 0), name
        assert value <= least * 1.5 + SLACK.get(name, 100), name  # the exit gives memory back
        if name in rusage.measured(rusage.RUSAGE_CHILDREN):
            assert value - 0.1 <= getattr(children, name), name


def test_rate_is_that_of_sysctl() -> None:
    """Where there are integrals the rate is the kernel's stathz, as sysctl(8) prints it."""
    if not BACKEND.integral_bytes:
        assert not hasattr(lib, "rusage_statclock_hz")
        return
    sysctl = shutil.which("sysctl", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if sysctl is None:
        pytest.skip("there is no sysctl(8)")
    printed = subprocess.run([sysctl, "kern.clockrate"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"stathz\s*=\s*(\d+)", printed)
    assert found is not None
    assert lib.rusage_statclock_hz() == int(found[1])


@linux
def test_block_io_counts_512_byte_units(tmp_path: Path) -> None:
    """On Linux writing 8 MiB that must reach the device counts 16 384 units of 512 bytes; /proc/self/io agrees."""
    io = Path("/proc/self/io")
    if "ru_oublock" not in rusage.measured():
        pytest.skip(reason="this kernel does no task I/O accounting")

    def written() -> int:
        return int(next(line for line in io.read_text().splitlines() if line.startswith("write_bytes")).split()[1])

    before, bytes_before = rusage.getrusage(rusage.RUSAGE_SELF), written()
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(2**23))
        file.flush()
        os.fsync(file.fileno())
    blocks = (rusage.getrusage(rusage.RUSAGE_SELF) - before).ru_oublock
    if written() == bytes_before:
        pytest.skip(reason="this file system writes to no device")
    assert blocks * 512 == pytest.approx(written() - bytes_before, abs=64 * 1024)
    assert blocks >= 2**23 // 512
