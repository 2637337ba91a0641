/* Included, not compiled: a process on NetBSD and OpenBSD, whose records of processes have the same members. */

#include "kinfo.c"

/* Each system defines rusage_kinfo, its record, and RUSAGE_KERN_PROC, its sysctl, before it includes this file, and these
   functions after it. */

/* Get the time from which the starts of processes are counted, in microseconds; it moves if the clock is set. */
static int rusage_start_epoch(int64_t *epoch);
/* Return the state; EAGAIN if the record of a living process is not complete now. */
static int rusage_state_in(const rusage_kinfo *process, int *state);
/* Add what only one of the systems reports. */
static void rusage_add_usage(const rusage_kinfo *process, rusage_figures *figures, struct rusage *native);

/* The sysctl kern.proc or kern.proc2. The kernels set p_uvalid, the times and p_uctime_sec, the user and system time of the
   children that the process has waited for, unless it is a zombie. p_vm_rssize counts pages. */
static int rusage_read_record(int pid, rusage_kinfo *process, int64_t *epoch)
{
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_PID, pid, sizeof *process, 1}, error;
    int64_t later;

    do {                                /* again, if the clock has been set meanwhile */
        error = rusage_start_epoch(epoch);
        /* cppcheck-suppress knownConditionTrueFalse; on NetBSD only */
        if (error == 0)
            error = rusage_sysctl_one(name, 6, process, sizeof *process);
        if (error == 0)
            error = rusage_start_epoch(&later);
    } while (error == 0 && later != *epoch);
    return error == 0 && process->p_pid != pid ? RUSAGE_NO_PROCESS : error;
}

static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    rusage_kinfo process;
    struct rusage native;
    int64_t epoch;
    int error = rusage_read_record(pid, &process, &epoch);

    if (error != 0)
        return error;
    figures->parent = process.p_ppid;
    error = rusage_state_in(&process, &figures->state);
    if (error != 0 || figures->state == RUSAGE_ZOMBIE)
        return error;
    memset(&native, 0, sizeof native);
    native.ru_utime.tv_sec = process.p_uutime_sec;
    native.ru_utime.tv_usec = (suseconds_t)process.p_uutime_usec;
    native.ru_stime.tv_sec = process.p_ustime_sec;
    native.ru_stime.tv_usec = (suseconds_t)process.p_ustime_usec;
    rusage_add_usage(&process, figures, &native);
    figures->start = (int64_t)process.p_ustart_sec * 1000000 + process.p_ustart_usec - epoch;
    figures->rss = (int64_t)process.p_vm_rssize * getpagesize();
    figures->own = rusage_seconds(rusage_microseconds(&native.ru_utime) + rusage_microseconds(&native.ru_stime));
    figures->waited = process.p_uctime_sec + process.p_uctime_usec / 1e6;
    if (call != NULL)
        rusage_convert(&native, call);
    return 0;
}

static int rusage_tree_list(rusage_tree *tree)
{
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_ALL, 0, sizeof(rusage_kinfo), 0}, i, count = 0;
    int error = rusage_sysctl_list(tree, name, 6, &name[5], sizeof(rusage_kinfo), &count);
    const rusage_kinfo *processes = (const rusage_kinfo *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].p_pid, processes[i].p_ppid);
    return error;
}
