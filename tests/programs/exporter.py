"""Work, and serve the metrics: print the port, then for each line of standard input what the system says.

What it says is a JSON object: figures by the names of the metrics, from CPython's ``resource`` and /proc, except the
switches of its main thread under ``main_thread``.
"""

import http.server
import json
import mmap
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import prometheus_client

import rusage
from rusage.prometheus import UsageCollector

MIB = 2**20
KIB_OR_BYTE = 1 if sys.platform == "darwin" else 1024


def burn(seconds: float) -> None:
    """Use CPU time."""
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def switch(times: int) -> None:
    """Wait again and again."""
    for _ in range(times):
        time.sleep(0.0001)


def work() -> None:
    """Burn 0.5 s, hold 200 MiB, write 4 MiB, switch 1000 times in threads that end, and let a child burn some time."""
    burn(0.5)
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(bytes(4 * MIB))
        os.fsync(file.fileno())
    with mmap.mmap(-1, 200 * MIB) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
    threads = [threading.Thread(target=switch, args=(250,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subprocess.run([sys.executable, "-c", "for _ in range(3 * 10**6): pass"], check=True)


def status(name: str) -> int:
    """Return a number of /proc/self/status; 0 without it."""
    try:
        found = re.search(rf"^{name}:\s*(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) if found else 0


def figures(who: int) -> dict[str, float]:
    """Return the counters of a ``who``, by the metric and its label."""
    usage = resource.getrusage(who)
    return {
        "cpu_seconds_total": usage.ru_utime + usage.ru_stime,
        "cpu_user_seconds_total": usage.ru_utime,
        "cpu_system_seconds_total": usage.ru_stime,
        "minor_page_faults_total": usage.ru_minflt,
        "major_page_faults_total": usage.ru_majflt,
        "disk_read_bytes_total": usage.ru_inblock * 512,
        "disk_written_bytes_total": usage.ru_oublock * 512,
        "context_switches_total voluntary": usage.ru_nvcsw,
        "context_switches_total involuntary": usage.ru_nivcsw,
    }


def report() -> dict[str, float]:
    """Return what the system says."""
    peak = status("VmHWM") * 1024 or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_OR_BYTE
    children = figures(resource.RUSAGE_CHILDREN)
    return {
        "main_thread": status("voluntary_ctxt_switches"),
        "rss": status("VmRSS") * 1024 or rusage.rss(),
        "process_resident_memory_peak_bytes": peak,
        **{f"process_{name}": value for name, value in figures(resource.RUSAGE_SELF).items()},
        **{f"process_children_{name}": value for name, value in children.items()},
    }


prometheus_client.REGISTRY.register(UsageCollector(children=True))
prometheus_client.REGISTRY.register(UsageCollector(namespace="my"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), prometheus_client.MetricsHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
work()
print(server.server_address[1], flush=True)
for _ in sys.stdin:
    print(json.dumps(report()), flush=True)
