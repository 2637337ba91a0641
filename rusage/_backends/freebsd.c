/* FreeBSD. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/statclock.c"

#include <sys/param.h>
#include <sys/user.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* Get the usage of a process by the sysctl kern.proc.pid. In sys/kern/kern_proc.c, fill_kinfo_proc_only() sets
   ki_rusage with rufetch() and calcru() to the sum over all threads, including those that have ended, in the units of
   getrusage. sysctl_kern_proc() also finds zombies, with pget(); their ki_rusage is what wait4 will return, including
   the children that they have waited for. */
static int rusage_of_process(int pid, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    struct kinfo_proc process;
    size_t size = sizeof process;

    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0)
        return ESRCH;
    /* The kernel uses another layout, or returned another process. */
    if (size != sizeof process || process.ki_structsize != (int)sizeof process || process.ki_pid != pid)
        return EINVAL;
    rusage_convert(&process.ki_rusage, call);
    return 0;
}
