"""Windows: GetProcessTimes, GetThreadTimes, PROCESS_MEMORY_COUNTERS and IO_COUNTERS in Microsoft's documentation."""

from ._base import PEAK_OWN, TIMES, Backend

CLOCK = "updated at the clock interrupt, usually every 15.625 ms"

# Without ru_inblock and ru_oublock: IO_COUNTERS counts operations on files, pipes, sockets and devices of any kind,
# including those served from the cache. No documented call reports how many of them reached a block device.
MEASURED = TIMES | {"ru_maxrss", "ru_minflt"}

BACKEND = Backend(
    name="Windows",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_THREAD": TIMES},  # GetThreadTimes; a thread has no memory counters
    absent={
        "RUSAGE_CHILDREN": "it keeps no usage of children that have ended",
        "RUSAGE_BOTH": "it keeps no usage of children that have ended",
        "from_native": "it has no native struct rusage to convert",
        "wait3": "it has no call that waits for any child",
        "wait4": "it has no call that waits for a process ID and returns its usage",
    },
    waited=MEASURED,  # available through the handle after the process has ended
    child_peak=PEAK_OWN,  # processes are created, not forked
    maxrss_bytes=1,  # PeakWorkingSetSize
    notes={
        "ru_utime": CLOCK,
        "ru_stime": CLOCK,
        "ru_maxrss": "peak working set, including pages shared with other processes",
        "ru_minflt": "includes faults that required I/O: Windows keeps one 32-bit total, which wraps",
    },
)
