/* FreeBSD. */

#define RUSAGE_HAS_REAPER
#define RUSAGE_HAS_STATCLOCK
#define RUSAGE_WAIT4 rusage_wait4_here
#include "../_c/unix.c"
#include "../_c/kinfo.c"

#include <sys/proc.h>
#include <sys/user.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* wait4(2) may return before the usage is complete: exit1() in sys/kern/kern_exit.c makes the
   process a zombie, and thread_exit() in kern_thread.c adds its last thread after it has released
   the lock of the process, but under the lock p_statmtx. proc_reap() waits until thread_exit() has
   taken that lock; the second wait takes it too, to compute the times, but has copied the counters
   before. The third one copies them when all is added. */
static pid_t rusage_wait4_here(pid_t pid, int *status, int options, struct rusage *native)
{
    const int look = options | WEXITED | WTRAPPED | WNOWAIT;
    const idtype_t type = pid == -1 ? P_ALL : pid < 0 ? P_PGID : P_PID;
    struct __wrusage usage;
    pid_t child;

    do { /* again, if another thread has waited for it meanwhile */
        child = wait6(type, llabs(pid), status, look, NULL, NULL);
        if (child <= 0)
            return child;
        wait6(P_PID, child, status, look | WNOHANG, &usage, NULL);
        child = wait4(child, status, options | WNOHANG, native);
    } while (child == 0 || (child < 0 && errno == ECHILD));
    return child;
}

/* The sysctl kern.proc.pid. In sys/kern/kern_proc.c, fill_kinfo_proc_only() sets ki_rusage with
   rufetch() and calcru() to the sum over all threads, including those that have ended, in the units
   of getrusage, ki_start to the time of the start as counted from the boot, plus the time of the
   boot, and ki_childtime to the user and system time of the children that the process has waited
   for. sysctl_kern_proc() also finds zombies, with pget(); their ki_rusage counts the last thread
   twice, since thread_exit() has added it to the process before rufetch() adds all threads. So
   counters and integrals are too large, while the times and the peak are what wait4 will return.
   pget() also finds a process by the number of one of its threads. ki_rssize counts pages,
   including the kernel's stacks for the threads. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid}, error;
    struct kinfo_proc process;
    rusage_values values;
    int64_t boot;

    error = rusage_sysctl_one(name, 4, &process, sizeof process, &boot);
    if (error != 0)
        return error;
    if (process.ki_structsize != (int)sizeof process)
        return EINVAL;
    if (process.ki_pid != pid)
        return RUSAGE_NO_PROCESS;
    values = rusage_values_of(&process.ki_rusage);
    rusage_set_usage(figures, &values, RUSAGE_MICROSECONDS, call);
    figures->parent = process.ki_ppid;
    figures->shares_memory = (process.ki_flag & P_PPWAIT) != 0;
    figures->state = process.ki_stat == SZOMB ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    figures->start = rusage_microseconds(&process.ki_start) - boot;
    figures->rss = (int64_t)process.ki_rssize * getpagesize();
    rusage_set_name(figures, process.ki_comm, sizeof process.ki_comm);
    figures->waited =
        rusage_quotient(rusage_microseconds(&process.ki_childtime), RUSAGE_MICROSECONDS);
    /* exit1() in sys/kern/kern_exit.c has added the children's times */
    if (figures->state == RUSAGE_ZOMBIE)
        figures->own -= figures->waited;
    return 0;
}

/* Also of a zombie. */
static int rusage_of_process(int pid, rusage_call *call)
{
    rusage_figures figures;

    return rusage_read_process(pid, &figures, call);
}

/* The sysctl kern.proc.proc. It leaves out processes that are hidden: with
   security.bsd.see_other_uids=0, other users'. */
static int rusage_tree_list(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_PROC};

    return rusage_list(tree, name, 3, sizeof(struct kinfo_proc),
                       offsetof(struct kinfo_proc, ki_pid), offsetof(struct kinfo_proc, ki_ppid));
}
