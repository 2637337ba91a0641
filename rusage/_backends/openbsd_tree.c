/* OpenBSD: the processes of a tree. In sys/sys/sysctl.h, FILL_KPROC() sets p_uvalid, the times and p_uctime_sec, the user and
   system time of the children that the process has waited for, unless it is a zombie. */

#include "../_c/tree_by_list.c"

/* The time since the boot, as rusage_process_read() counts starts. */
static int64_t rusage_tree_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t rusage_start_of(const struct kinfo_proc *process, int64_t boot)
{
    return process->p_uvalid ? (int64_t)process->p_ustart_sec * 1000000 + process->p_ustart_usec - boot : 0;
}

/* Call sysctl kern.proc, again if the clock has been set meanwhile. */
static int rusage_list_kinfo(rusage_tree *tree, int *count, int64_t *boot)
{
    int name[6] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL, 0, sizeof(struct kinfo_proc), 0}, error;
    int64_t later;

    do {
        error = rusage_boottime(boot);
        if (error == 0)
            error = rusage_sysctl_list(tree, name, 6, &name[5], sizeof(struct kinfo_proc), count);
        if (error == 0)
            error = rusage_boottime(&later);
    } while (error == 0 && later != *boot);
    return error;
}

static int rusage_list_processes(rusage_tree *tree)
{
    int64_t boot = 0;
    int i, count = 0, error = rusage_list_kinfo(tree, &count, &boot);
    const struct kinfo_proc *processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].p_pid, processes[i].p_ppid, rusage_start_of(&processes[i], boot));
    return error;
}

static int rusage_read_figures(int pid, rusage_figures *figures)
{
    struct kinfo_proc process;
    int name[6] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid, sizeof process, 1}, error;
    int64_t boot, later;
    size_t size;

    do {
        error = rusage_boottime(&boot);
        size = sizeof process;
        if (error == 0 && sysctl(name, 6, &process, &size, NULL, 0) != 0)
            error = errno;
        if (error == 0)
            error = rusage_boottime(&later);
    } while (error == 0 && later != boot);
    if (error != 0)
        return error;
    if (size == 0 || process.p_pid != pid)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    figures->parent = process.p_ppid;
    figures->is_zombie = !process.p_uvalid;
    figures->start = rusage_start_of(&process, boot);
    figures->rss = (int64_t)process.p_vm_rssize * getpagesize();
    figures->times.own =
        process.p_uutime_sec + process.p_ustime_sec + (process.p_uutime_usec + (double)process.p_ustime_usec) / 1e6;
    figures->times.waited = process.p_uctime_sec + process.p_uctime_usec / 1e6;
    return 0;
}
