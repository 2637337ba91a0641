"""Run the command after its environment at exec was overwritten, as by a title: ``... CONTENT [ARGUMENT...]``.

CONTENT is hexadecimal. The rest of that memory becomes zeros. The variables keep their values, in other memory.
"""

import os
import sys
from pathlib import Path

from rusage._cli.main import main

content = bytes.fromhex(sys.argv.pop(1))
for name in os.environb:
    os.environb[name] = os.environb[name]  # copies it
start, end = map(int, Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[47:49])  # proc_pid_stat(5)
assert len(content) <= end - start
with open("/proc/self/mem", "r+b", buffering=0) as memory:
    memory.seek(start)
    memory.write(content.ljust(end - start, b"\0"))
assert Path("/proc/self/environ").read_bytes().startswith(content)
sys.exit(main())
