/* FreeBSD. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/statclock.c"

#include <sys/param.h>
#include <sys/user.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* sysctl kern.proc.pid. In FreeBSD's sys/kern/kern_proc.c fill_kinfo_proc_only() sets ki_rusage by rufetch() and
   calcru() to the sum of the process's threads, those that have ended included, in the units of getrusage.
   sysctl_kern_proc() finds a zombie too, by pget(): its ki_rusage is what wait4 will return, with the children that it
   has waited for. */
static int rusage_of_process(int pid, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    struct kinfo_proc process;
    size_t size = sizeof process;

    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0)
        return ESRCH;
    /* A kernel with another layout, or not the process that was asked for. */
    if (size != sizeof process || process.ki_structsize != (int)sizeof process || process.ki_pid != pid)
        return EINVAL;
    rusage_convert(&process.ki_rusage, call);
    return 0;
}
