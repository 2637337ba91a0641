/* NetBSD. */

#include "../_c/unix.c"
#include "../_c/rss_by_pid.c"

#include <sys/param.h>
#include <sys/sysctl.h>

/* Get the usage of a process by the sysctl kern.proc2. In sys/kern/kern_proc.c, fill_kproc2() adds up the faults and
   messages of all threads, including those that have ended, and calls calcru() for the times. p_uvalid is 0 for a
   zombie, whose record has none of this. p_vm_rssize counts pages. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    struct kinfo_proc2 process;
    int name[6] = {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof process, 1};
    size_t size = sizeof process;
    struct rusage native;

    if (sysctl(name, 6, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    if (process.p_pid != pid || !process.p_uvalid)
        return RUSAGE_NO_PROCESS;
    *start = (int64_t)process.p_ustart_sec * 1000000 + process.p_ustart_usec;
    *rss = (int64_t)process.p_vm_rssize * getpagesize();
    memset(&native, 0, sizeof native);
    native.ru_utime.tv_sec = process.p_uutime_sec;
    native.ru_utime.tv_usec = (suseconds_t)process.p_uutime_usec;
    native.ru_stime.tv_sec = process.p_ustime_sec;
    native.ru_stime.tv_usec = (suseconds_t)process.p_ustime_usec;
    native.ru_minflt = (long)process.p_uru_minflt;
    native.ru_majflt = (long)process.p_uru_majflt;
    native.ru_inblock = (long)process.p_uru_inblock;
    native.ru_oublock = (long)process.p_uru_oublock;
    native.ru_msgsnd = (long)process.p_uru_msgsnd;
    native.ru_msgrcv = (long)process.p_uru_msgrcv;
    native.ru_nsignals = (long)process.p_uru_nsignals;
    rusage_convert(&native, call);
    return 0;
}

#include "netbsd_tree.c"
