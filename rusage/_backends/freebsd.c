/* FreeBSD. */

#include "../_c/unix.c"
#include "../_c/clocks.c"
#include "../_c/rss_by_pid.c"

#include <sys/param.h>
#include <sys/proc.h>
#include <sys/user.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* Get the record of a process by the sysctl kern.proc.pid. In sys/kern/kern_proc.c, fill_kinfo_proc_only() sets
   ki_rusage with rufetch() and calcru() to the sum over all threads, including those that have ended, in the units of
   getrusage. sysctl_kern_proc() also finds zombies, with pget(); their ki_rusage counts the last thread twice, since
   thread_exit() has added it to the process before rufetch() adds all threads. So counters and integrals are too large,
   while the times and the peak are what wait4 will return. pget() also finds a process by the number of one of its
   threads. ki_rssize counts pages, including the kernel's stacks for the threads. */
static int rusage_read_kinfo(int pid, struct kinfo_proc *process)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    size_t size = sizeof *process;

    if (sysctl(name, 4, process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0)
        return ESRCH;
    /* The kernel uses another layout. */
    if (size != sizeof *process || process->ki_structsize != (int)sizeof *process)
        return EINVAL;
    return process->ki_pid == pid ? 0 : ESRCH;
}

static int rusage_of_process(int pid, rusage_call *call)
{
    struct kinfo_proc process;
    int error = rusage_read_kinfo(pid, &process);

    if (error == 0)
        rusage_convert(&process.ki_rusage, call);
    return error;
}

/* ki_start is the time of the start as counted from the boot, plus the time of the boot. */
static int rusage_read_kinfo_and_start(int pid, struct kinfo_proc *process, int64_t *start)
{
    int64_t boot, later;
    int error;

    do {                                /* again, if the clock has been set meanwhile */
        error = rusage_boottime(&boot);
        if (error == 0)
            error = rusage_read_kinfo(pid, process);
        if (error == 0)
            error = rusage_boottime(&later);
        if (error != 0)
            return error;
    } while (later != boot);
    *start = (int64_t)process->ki_start.tv_sec * 1000000 + process->ki_start.tv_usec - boot;
    return 0;
}

static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    struct kinfo_proc process;
    int error = rusage_read_kinfo_and_start(pid, &process, start);

    if (error != 0)
        return error;
    if (process.ki_stat == SZOMB)
        return RUSAGE_NO_PROCESS;
    *rss = (int64_t)process.ki_rssize * getpagesize();
    rusage_convert(&process.ki_rusage, call);
    return 0;
}

#include "freebsd_tree.c"
