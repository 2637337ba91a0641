/* The processes of a tree on NetBSD and OpenBSD, whose records of processes have the same members. The kernels set p_uvalid, the
   times and p_uctime_sec, the user and system time of the children that the process has waited for, unless it is a zombie. */

#include "tree_by_list.c"

/* Each system defines rusage_kinfo, its record, and RUSAGE_KERN_PROC, its sysctl, before it includes this file, and these
   functions after it. */

/* Get the time from which the starts of processes are counted, in microseconds; it moves if the clock is set. */
static int rusage_tree_epoch(int64_t *epoch);
/* Return whether a process uses its parent's memory. */
static int rusage_is_vforked(const rusage_kinfo *process);

static int64_t rusage_start_of(const rusage_kinfo *process, int64_t epoch)
{
    return process->p_uvalid ? (int64_t)process->p_ustart_sec * 1000000 + process->p_ustart_usec - epoch : 0;
}

static int rusage_list_processes(rusage_tree *tree)
{
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_ALL, 0, sizeof(rusage_kinfo), 0}, i, count = 0, error;
    const rusage_kinfo *processes;
    int64_t epoch = 0, later;

    do {
        error = rusage_tree_epoch(&epoch);
        /* cppcheck-suppress knownConditionTrueFalse; on NetBSD only */
        if (error == 0)
            error = rusage_sysctl_list(tree, name, 6, &name[5], sizeof(rusage_kinfo), &count);
        if (error == 0)
            error = rusage_tree_epoch(&later);
    } while (error == 0 && later != epoch);
    processes = (const rusage_kinfo *)(const void *)tree->system.buffer;
    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].p_pid, processes[i].p_ppid, rusage_start_of(&processes[i], epoch));
    return error;
}

static int rusage_read_figures(int pid, rusage_figures *figures)
{
    rusage_kinfo process;
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_PID, pid, sizeof process, 1}, error;
    int64_t epoch, later;
    size_t size;

    do {
        error = rusage_tree_epoch(&epoch);
        size = sizeof process;
        /* cppcheck-suppress knownConditionTrueFalse; as above */
        if (error == 0 && sysctl(name, 6, &process, &size, NULL, 0) != 0)
            error = errno;
        if (error == 0)
            error = rusage_tree_epoch(&later);
    } while (error == 0 && later != epoch);
    if (error != 0)
        return error;
    if (size == 0 || process.p_pid != pid)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    figures->parent = process.p_ppid;
    figures->uses_parents_memory = rusage_is_vforked(&process);
    figures->is_zombie = !process.p_uvalid;
    figures->start = rusage_start_of(&process, epoch);
    figures->rss = (int64_t)process.p_vm_rssize * getpagesize();
    figures->times.own =
        process.p_uutime_sec + process.p_ustime_sec + (process.p_uutime_usec + (double)process.p_ustime_usec) / 1e6;
    figures->times.waited = process.p_uctime_sec + process.p_uctime_usec / 1e6;
    return 0;
}
