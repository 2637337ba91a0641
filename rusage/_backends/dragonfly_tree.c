/* DragonFly BSD: the processes of a tree. In sys/kern/kern_kinfo.c, fill_kinfo_proc() sets kp_start, the time of the start, and
   kp_cru, the usage of the children that the process has waited for. */

#include "../_c/tree_by_list.c"

static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

static int rusage_list_processes(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL}, i, count = 0;
    int error = rusage_sysctl_list(tree, name, 3, NULL, sizeof(struct kinfo_proc), &count);
    const struct kinfo_proc *processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].kp_pid, processes[i].kp_ppid,
                                  rusage_microseconds(&processes[i].kp_start));
    return error;
}

/* The figures come first: if the process has the right start after them, they are its own. A process that exits counts as a
   zombie: its figures cannot be read. */
static int rusage_read_figures(int pid, rusage_figures *figures)
{
    struct kinfo_proc process;
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid}, error;
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1, .integral_bytes = 1, .integral_hz = 1};
    size_t size = sizeof process;
    int64_t start;

    error = rusage_process_read(pid, &start, &figures->rss, &call);
    if (error != 0 && error != RUSAGE_NO_PROCESS)
        return error;
    figures->is_zombie = error != 0;
    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0 || process.kp_pid != pid)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    figures->parent = process.kp_ppid;
    figures->uses_parents_memory = (process.kp_flags & RUSAGE_PARENT_WAITS) != 0;
    figures->start = rusage_microseconds(&process.kp_start);
    figures->times.own = call.record.utime + call.record.stime;
    figures->times.waited =
        rusage_seconds(rusage_microseconds(&process.kp_cru.ru_utime) + rusage_microseconds(&process.kp_cru.ru_stime));
    return 0;
}
