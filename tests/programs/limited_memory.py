"""Hold memory, and start children that run out of it under a limit: ``python limited_memory.py COUNT``.

Print how many of them had a MemoryError, and their own peak.
"""

import resource
import sys

import rusage

MIB = 2**20
limit = (400 if sys.implementation.name == "pypy" else 100) * MIB  # more than a Python needs
CODE = f"try: bytearray({2 * limit})\nexcept MemoryError: raise SystemExit(5)"

memory = bytearray(3 * limit)
memory[::4096] = bytes(len(memory[::4096]))  # resident
right = 0
for _ in range(int(sys.argv[1])):
    done = rusage.run([sys.executable, "-S", "-E", "-c", CODE], rlimits={resource.RLIMIT_AS: (limit, limit)})
    right += done.returncode == 5 and "ru_maxrss" in done.measured and 1 * MIB < done.rusage.ru_maxrss < limit
print(f"{right} of {sys.argv[1]}")
