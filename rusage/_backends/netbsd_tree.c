/* NetBSD: the processes of a tree. In sys/kern/kern_proc.c, fill_kproc2() sets p_uvalid, the times and p_uctime_sec, the user
   and system time of the children that the process has waited for, unless it is a zombie. */

#include "../_c/tree_by_list.c"

/* p_ustart_sec is the time of the start. */
static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

static int64_t rusage_start_of(const struct kinfo_proc2 *process)
{
    return process->p_uvalid ? (int64_t)process->p_ustart_sec * 1000000 + process->p_ustart_usec : 0;
}

static int rusage_list_processes(rusage_tree *tree)
{
    int name[6] = {CTL_KERN, KERN_PROC2, KERN_PROC_ALL, 0, sizeof(struct kinfo_proc2), 0}, i, count = 0;
    int error = rusage_sysctl_list(tree, name, 6, &name[5], sizeof(struct kinfo_proc2), &count);
    const struct kinfo_proc2 *processes = (const struct kinfo_proc2 *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].p_pid, processes[i].p_ppid, rusage_start_of(&processes[i]));
    return error;
}

static int rusage_read_figures(int pid, rusage_figures *figures)
{
    struct kinfo_proc2 process;
    int name[6] = {CTL_KERN, KERN_PROC2, KERN_PROC_PID, pid, sizeof process, 1};
    size_t size = sizeof process;

    if (sysctl(name, 6, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0 || process.p_pid != pid)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    figures->parent = process.p_ppid;
    figures->uses_parents_memory = (process.p_flag & P_PPWAIT) != 0;
    figures->is_zombie = !process.p_uvalid;
    figures->start = rusage_start_of(&process);
    figures->rss = (int64_t)process.p_vm_rssize * getpagesize();
    figures->times.own =
        process.p_uutime_sec + process.p_ustime_sec + (process.p_uutime_usec + (double)process.p_ustime_usec) / 1e6;
    figures->times.waited = process.p_uctime_sec + process.p_uctime_usec / 1e6;
    return 0;
}
