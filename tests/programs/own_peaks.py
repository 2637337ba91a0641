"""Hold 300 MiB and print the peaks of children, by each way to start them: ``python own_peaks.py JSON_OF_COMMANDS``."""

import asyncio
import json
import mmap
import os
import subprocess
import sys

import rusage
import rusage.asyncio

hold = mmap.mmap(-1, 300 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory would not be forked
for at in range(0, len(hold), mmap.PAGESIZE):
    hold[at] = 1
commands: list[list[str]] = json.loads(sys.argv[1])


def by_popen(command: list[str]) -> int:
    """Use ``Popen``."""
    with rusage.Popen(command) as process:
        pass
    assert process.rusage is not None
    return process.rusage.ru_maxrss


def by_command(command: list[str]) -> int:
    """Use the command."""
    words = [sys.executable, "-m", "rusage", "--json", "--", *command]
    done = subprocess.run(words, stderr=subprocess.PIPE, check=True)
    peak: int = json.loads(done.stderr)["usage"]["ru_maxrss"]
    return peak


def by_wait4(command: list[str]) -> int:
    """Use ``subprocess`` and ``os.wait4``."""
    process = subprocess.Popen(command)  # kept: without a reference it would wait itself for what has ended already
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return usage.ru_maxrss * 1024


ways = {
    "run": lambda command: rusage.run(command, check=True).rusage.ru_maxrss,
    "Popen": by_popen,
    "asyncio": lambda command: asyncio.run(rusage.asyncio.run(command, check=True)).rusage.ru_maxrss,
    "command": by_command,
    "wait4": by_wait4,
}
print(json.dumps({name: [way(command) for command in commands] for name, way in ways.items()}))
