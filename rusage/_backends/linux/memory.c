/* Linux: the memory of this process. */

#include "proc.h"

static int64_t rusage_rss(void)
{
    int64_t pages = 0;
    int error = rusage_read_statm(AT_FDCWD, "/proc/self/statm", &pages);

    /* The first thread has ended and has no memory. */
    if (error == 0 && pages == 0)
        error = rusage_read_statm(AT_FDCWD, "/proc/thread-self/statm", &pages);
    return error != 0 ? -error : pages * sysconf(_SC_PAGESIZE);
}

/* Return the proportional set size in bytes, or a negative errno. */
static int64_t rusage_pss(void)
{
    int64_t size = 0;               /* KiB */
    int error = rusage_read_status(AT_FDCWD, "/proc/thread-self/smaps_rollup", "\nPss:", &size);

    return error != 0 ? -error : size * 1024;
}

/* Return VmHWM, the high-water mark, in bytes, or a negative errno. It is not less than the resident set size. */
static int64_t rusage_mark(void)
{
    int64_t size = 0;               /* KiB */
    int error = rusage_read_status(AT_FDCWD, "/proc/self/status", "\nVmHWM:", &size);

    if (error == ENODATA)           /* as above */
        error = rusage_read_status(AT_FDCWD, "/proc/thread-self/status", "\nVmHWM:", &size);
    return error != 0 ? -error : size * 1024;
}

static int rusage_clear_refs = -1;  /* the descriptor, during a reset: a child that is forked then closes its copy */

/* In a forked child, and with the GIL, so that no thread forks between the two steps. */
static void rusage_close_clear_refs(void)
{
    int fd = rusage_clear_refs;

    rusage_clear_refs = -1;
    if (fd >= 0)
        close(fd);
}

/* Set the mark to the resident set size (man page: proc_pid_clear_refs, section 5; in kernels with
   CONFIG_PROC_PAGE_MONITOR, since 4.0), and return this size, or a negative errno. The write waits for the lock of the
   address space, which another thread may hold for long, for example in MADV_POPULATE_WRITE; the process may grow
   meanwhile. Python holds a lock when it calls this. */
static int64_t rusage_reset_mark(void)
{
    int64_t resident;
    int error = 0;

    /* Of this thread: the first one may have ended, and its file belongs to root and resets nothing. */
    rusage_clear_refs = open("/proc/thread-self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (rusage_clear_refs < 0)
        return -errno;
    {
        RUSAGE_RELEASE_GIL;
        if (write(rusage_clear_refs, "5", 1) != 1)
            error = errno;
        resident = rusage_rss();
        RUSAGE_RETAKE_GIL;
    }
    rusage_close_clear_refs();
    return error != 0 ? -error : resident;
}
