"""Start programs in text mode, with and without an encoding; each line that is to be warned of says so."""

import asyncio
import subprocess
import sys

import rusage
import rusage.asyncio

COMMAND = [sys.executable, "-S", "-c", ""]

subprocess.run(COMMAND, check=False, text=True)  # warned of
rusage.run(COMMAND, text=True)  # warned of
rusage.run(COMMAND, universal_newlines=True)  # warned of
rusage.run(COMMAND, errors="strict")  # warned of
rusage.run(COMMAND)
rusage.run(COMMAND, text=True, encoding="utf-8")
with rusage.Popen(COMMAND, text=True):  # warned of
    pass


async def main() -> None:
    """Start one in a coroutine."""
    await rusage.asyncio.run(COMMAND, text=True)  # warned of


asyncio.run(main())
