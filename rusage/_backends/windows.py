"""Windows: GetProcessTimes, GetThreadTimes, PROCESS_MEMORY_COUNTERS and IO_COUNTERS.

Microsoft's documentation describes them.
"""

from ._base import BLOCKS, PEAK_OWN, TIMES, Backend

CLOCK = "updated at the clock interrupt, usually every 15.625 ms"
OWN_PEAK = "peak working set, including pages shared with other processes"
# No documented call reports how many operations reached a block device.
IO = (
    "the kernel counts operations on files, pipes, sockets and devices, "
    "including those served from the cache"
)
NO_ACCOUNT = "it keeps no usage of children that have ended"

MEASURED = TIMES | {"ru_maxrss", "ru_minflt"}

BACKEND = Backend(
    name="Windows",
    # GetThreadTimes; a thread has no memory counters
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_THREAD": TIMES},
    absent={
        "RUSAGE_CHILDREN": NO_ACCOUNT,
        "RUSAGE_BOTH": NO_ACCOUNT,
        "from_native": "it has no native struct rusage to convert",
        "wait3": "it has no call that waits for any child",
        "wait4": "it has no call that waits for a process ID and returns its usage",
    },
    process=MEASURED,
    waited=MEASURED,  # available through the handle after the process has ended
    child_peak=PEAK_OWN,
    maxrss_bytes=1,  # PeakWorkingSetSize
    peak="ru_maxrss",
    rss="WorkingSetSize of PROCESS_MEMORY_COUNTERS",
    notes={
        **dict.fromkeys(TIMES, CLOCK),
        "ru_maxrss": OWN_PEAK,
        "ru_minflt": "includes faults that required I/O: "
        "Windows keeps one 32-bit total, which wraps",
        **dict.fromkeys(BLOCKS, IO),
    },
)
