/* FreeBSD: the processes of a tree. */

#include "../_c/tree_by_list.c"

/* The time since the boot, as rusage_process_read() counts starts. */
static int64_t rusage_tree_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The sysctl kern.proc.proc. */
static int rusage_list_processes(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_PROC}, count = 0, error, i;
    const struct kinfo_proc *processes;
    int64_t boot, later;

    do {                                /* again, if the clock has been set meanwhile */
        error = rusage_boottime(&boot);
        if (error == 0)
            error = rusage_sysctl_list(tree, name, 3, NULL, sizeof *processes, &count);
        if (error == 0)
            error = rusage_boottime(&later);
    } while (error == 0 && later != boot);
    processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;
    if (error == 0 && count > 0 && processes->ki_structsize != (int)sizeof *processes)
        error = EINVAL;
    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].ki_pid, processes[i].ki_ppid,
                                  rusage_microseconds(&processes[i].ki_start) - boot);
    return error;
}

/* ki_childtime is the user and system time of the children that the process has waited for: fill_kinfo_proc_only() in
   sys/kern/kern_proc.c. */
static int rusage_read_figures(int pid, rusage_figures *figures)
{
    struct kinfo_proc process;
    int error = rusage_read_kinfo_and_start(pid, &process, &figures->start);

    if (error != 0)
        return error;
    figures->parent = process.ki_ppid;
    figures->uses_parents_memory = (process.ki_flag & P_PPWAIT) != 0;
    figures->is_zombie = process.ki_stat == SZOMB;
    figures->rss = (int64_t)process.ki_rssize * getpagesize();
    figures->times.own = rusage_seconds(rusage_microseconds(&process.ki_rusage.ru_utime)
                                        + rusage_microseconds(&process.ki_rusage.ru_stime));
    figures->times.waited = rusage_seconds(rusage_microseconds(&process.ki_childtime));
    return 0;
}
