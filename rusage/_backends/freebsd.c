/* FreeBSD. */

#include "../_c/unix.c"
#define RUSAGE_HAS_STATCLOCK
#include "../_c/kinfo.c"

#include <sys/procctl.h>

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
    int error = rusage_sysctl_one(name, 4, process, sizeof *process);

    if (error == 0 && process->ki_structsize != (int)sizeof *process)
        error = EINVAL;
    return error == 0 && process->ki_pid != pid ? RUSAGE_NO_PROCESS : error;
}

static int rusage_of_process(int pid, rusage_call *call)
{
    struct kinfo_proc process;
    int error = rusage_read_kinfo(pid, &process);

    if (error == 0)
        rusage_convert(&process.ki_rusage, call);
    return error;
}

/* ki_start is the time of the start as counted from the boot, plus the time of the boot. ki_childtime is the user and system
   time of the children that the process has waited for: fill_kinfo_proc_only(). */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    struct kinfo_proc process;
    int64_t boot, later;
    int error;

    do {                                /* again, if the clock has been set meanwhile */
        error = rusage_boottime(&boot);
        if (error == 0)
            error = rusage_read_kinfo(pid, &process);
        if (error == 0)
            error = rusage_boottime(&later);
        if (error != 0)
            return error;
    } while (later != boot);
    figures->parent = process.ki_ppid;
    figures->shares_memory = (process.ki_flag & P_PPWAIT) != 0;
    figures->state = process.ki_stat == SZOMB ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    figures->start = rusage_microseconds(&process.ki_start) - boot;
    figures->rss = (int64_t)process.ki_rssize * getpagesize();
    figures->own = rusage_seconds(rusage_microseconds(&process.ki_rusage.ru_utime)
                                  + rusage_microseconds(&process.ki_rusage.ru_stime));
    figures->waited = rusage_seconds(rusage_microseconds(&process.ki_childtime));
    if (figures->state == RUSAGE_ZOMBIE) /* exit1() in sys/kern/kern_exit.c has added the children's times */
        figures->own -= figures->waited;
    if (call != NULL)
        rusage_convert(&process.ki_rusage, call);
    return 0;
}

/* The time since the boot. */
static int64_t rusage_tree_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The sysctl kern.proc.proc. It leaves out processes that are hidden: with security.bsd.see_other_uids=0, other users'. */
static int rusage_tree_list(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_PROC}, count = 0, i;
    int error = rusage_sysctl_list(tree, name, 3, NULL, sizeof(struct kinfo_proc), &count);
    const struct kinfo_proc *processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;

    if (error == 0 && count > 0 && processes->ki_structsize != (int)sizeof *processes)
        error = EINVAL;
    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].ki_pid, processes[i].ki_ppid);
    return error;
}

/* procctl(2): a process that is one already returns EBUSY. */
static int rusage_become_reaper(void)
{
    return procctl(P_PID, getpid(), PROC_REAP_ACQUIRE, NULL) != 0 && errno != EBUSY ? errno : 0;
}
