/* OpenBSD. */

#include "../_c/unix.c"
#include "../_c/clocks.c"
#include "../_c/rss_by_pid.c"

#include <sys/param.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* Get the times of a process by the sysctl kern.proc. In sys/kern/kern_sysctl.c, fill_kproc() calls calctsru() for all
   threads; the other fields describe one thread. p_uvalid is 0 for a zombie. p_ustart is the time of the start as
   counted from the boot, plus the time of the boot, both in nanoseconds: it is a microsecond larger at times. p_vm_rssize
   counts pages. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    struct kinfo_proc process;
    int name[6] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid, sizeof process, 1};
    size_t size;
    struct rusage native;
    int64_t boot, later;
    int error;

    do {                                /* again, if the clock has been set meanwhile */
        error = rusage_boottime(&boot);
        if (error != 0)
            return error;
        size = sizeof process;
        if (sysctl(name, 6, &process, &size, NULL, 0) != 0)
            return errno;
        error = rusage_boottime(&later);
        if (error != 0)
            return error;
    } while (later != boot);
    if (size == 0)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    if (process.p_pid != pid || !process.p_uvalid)
        return RUSAGE_NO_PROCESS;
    *start = (int64_t)process.p_ustart_sec * 1000000 + process.p_ustart_usec - boot;
    *rss = (int64_t)process.p_vm_rssize * getpagesize();
    memset(&native, 0, sizeof native);
    native.ru_utime.tv_sec = process.p_uutime_sec;
    native.ru_utime.tv_usec = (suseconds_t)process.p_uutime_usec;
    native.ru_stime.tv_sec = process.p_ustime_sec;
    native.ru_stime.tv_usec = (suseconds_t)process.p_ustime_usec;
    rusage_convert(&native, call);
    return 0;
}

#include "openbsd_tree.c"
