/* macOS: the processes of a tree. */

#include "../_c/tree_by_list.c"

/* p_starttime is the time of the start. */
static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

#if TARGET_OS_OSX

/* The sysctl kern.proc also reports the processes of other users, unlike PROC_PIDTBSDINFO. */
static int rusage_list_processes(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL}, i, count = 0;
    int error = rusage_sysctl_list(tree, name, 3, NULL, sizeof(struct kinfo_proc), &count);
    const struct kinfo_proc *processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].kp_proc.p_pid, processes[i].kp_eproc.e_ppid,
                                  rusage_microseconds(&processes[i].kp_proc.p_starttime));
    return error;
}

/* The figures come first: if the process has the right start after them, they are its own. */
static int rusage_read_figures(int pid, rusage_figures *figures)
{
    struct kinfo_proc process;
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    struct rusage_info_v2 info;
    size_t size = sizeof process;
    rusage_macos native;
    double tick;

    memset(&info, 0, sizeof info);
    if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&info) != 0) {
        if (errno != EPERM)
            return errno;
        figures->may_read = 0;
    }
    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0 || process.kp_proc.p_pid != pid)
        return ESRCH;
    if (size != sizeof process)
        return EINVAL;
    rusage_set_timebase(&native);
    tick = (double)native.numer / (double)native.denom / 1e9;
    figures->parent = process.kp_eproc.e_ppid;
    figures->is_zombie = process.kp_proc.p_stat == SZOMB;
    figures->start = rusage_microseconds(&process.kp_proc.p_starttime);
    figures->rss = (int64_t)info.ri_resident_size;
    figures->times.own = (double)(info.ri_user_time + info.ri_system_time) * tick;
    figures->times.waited = (double)(info.ri_child_user_time + info.ri_child_system_time) * tick;
    return 0;
}

#else

static int rusage_list_processes(rusage_tree *tree)
{
    (void)tree;
    return ENOTSUP;
}

static int rusage_read_figures(int pid, rusage_figures *figures)
{
    (void)pid;
    (void)figures;
    return ENOTSUP;
}

#endif
