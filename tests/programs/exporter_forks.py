"""Burn CPU time, fork, and print the CPU time in the child: by ``resource``, by the collector, by ``resource`` again.

The last number is the parent's before the fork.
"""

import os
import resource
import time

from rusage.prometheus import UsageCollector


def cpu_time() -> float:
    """Return user and system CPU time by ``resource``."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


collector = UsageCollector()
while time.process_time() < 0.5:
    pass
before = cpu_time()
child = os.fork()
if child == 0:
    lower = cpu_time()
    found = sum(
        metric.samples[0].value
        for metric in collector.collect()
        if metric.name in {"process_cpu_user_seconds", "process_cpu_system_seconds"}
    )
    print(lower, found, cpu_time(), before, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
