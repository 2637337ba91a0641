/* Included, not compiled: another process on systems that have no handles for processes. It is identified by its process
   ID and its start time. */

#include "process_scalars.c"

/* Defined for each of these systems: read the usage of a process that has not ended and, with it, when it was started and
   its resident set size in bytes. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call);

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    int64_t rss;
    int error = rusage_process_read(pid, &process->start, &rss, call);

    process->pid = pid;
    process->measured = UINT32_MAX;
    process->is_open = error == 0;
    return error;
}

static int rusage_process_read_again(const rusage_process *process, int64_t *rss, rusage_call *call)
{
    int64_t start;
    int error = rusage_process_read(process->pid, &start, rss, call);

    /* OpenBSD rounds. No two processes get the same number within a microsecond. */
    if (error == 0 && (start < process->start - 1 || start > process->start + 1))
        error = RUSAGE_NO_PROCESS;
    return error;
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    int64_t rss;

    return rusage_process_read_again(process, &rss, call);
}

static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call)
{
    rusage_call copy = *call;
    int64_t rss;
    int error = rusage_process_read_again(process, &rss, &copy);

    return error != 0 ? -(int64_t)error : rss;
}

static void rusage_process_close(rusage_process *process)
{
    process->is_open = 0;
}
