/* Linux: read the usage of another process, by proc(5) and its pidfd. */

#include "linux_process.h"

#include <poll.h>
#include <sys/stat.h>
#include <time.h>

/* Read /proc/PID/stat; return 0, an errno, or RUSAGE_NO_PROCESS for a process that has ended. */
static int rusage_read_stat(const rusage_process *process, rusage_stat *stat)
{
    char text[2048];                /* 52 fields of at most 20 digits, and the name */
    int error = rusage_read_text(process->directory, "stat", text, sizeof text);

    if (error == 0)
        error = rusage_parse_stat(text, stat);
    if (error != 0)
        return error;
    /* No threads, and no figures: a first thread that has just been reaped, or replaced by one that executes a program
       (do_task_stat() in fs/proc/array.c). Or a zombie: if the first thread ends before the others, it is a zombie, but
       the process continues. */
    if (stat->threads == 0 || (strchr("ZXx", stat->state) != NULL && stat->threads == 1))
        return RUSAGE_NO_PROCESS;
    return 0;
}

/* Return 0 while the process lives, RUSAGE_NO_PROCESS when all its threads have ended, or an errno. */
static int rusage_check_alive(const rusage_process *process)
{
    struct pollfd ended = {process->pidfd, POLLIN, 0};
    rusage_stat stat;
    int events;

    if (process->pidfd < 0)
        return rusage_read_stat(process, &stat);
    do
        events = poll(&ended, 1, 0);
    while (events < 0 && errno == EINTR);
    if (events < 0)
        return errno;
    if (ended.revents & POLLNVAL)
        return EBADF;
    return events == 0 ? 0 : RUSAGE_NO_PROCESS;
}

/* Wait a millisecond and return 1 if a reading that has failed is to be repeated; *end is 0 at the first call.
   While a thread other than the first one executes a program and replaces it, there is a moment in which the process has
   no memory (ENODATA), in which a file in /proc cannot be read (ESRCH), and in which pidfd_poll() finds the first thread
   ended and alone; the last two were seen once in 10 million calls on Linux 6.18. Therefore the end of the process is
   reported if the pidfd and stat show it after the first repetition too, and in any case after a second: if the directory
   belongs to another process, stat never shows the end. */
static int rusage_try_again(const rusage_process *process, int error, int64_t *end)
{
    const struct timespec pause = {0, 1000000};
    struct timespec time = {0, 0};
    rusage_stat stat;
    int64_t now;                    /* ms */

    if (error != RUSAGE_NO_PROCESS && error != ENODATA)
        return 0;
    if (*end != 0 && error == RUSAGE_NO_PROCESS && rusage_check_alive(process) != 0
        && rusage_read_stat(process, &stat) != 0)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
    if (*end == 0)
        *end = now + 1000;
    if (now >= *end)
        return 0;
    {
        RUSAGE_RELEASE_GIL;
        nanosleep(&pause, NULL);
        RUSAGE_RETAKE_GIL;
    }
    return 1;
}

/* Get the peak of the program that the process executes, in KiB; return 0, an errno, RUSAGE_NO_PROCESS, or ENODATA for a
   process that has no memory now. */
static int rusage_read_peak(const rusage_process *process, int64_t *peak)
{
    int error = rusage_read_status(process->directory, "status", rusage_sizes, 1, peak), ended;

    if (error == ENODATA)
        error = rusage_read_threads(process->directory, "status", rusage_sizes, 1, peak);
    if (error != ENODATA)
        return error;
    ended = rusage_check_alive(process);
    return ended != 0 ? ended : ENODATA;
}

static int rusage_has_peak(const rusage_process *process, const rusage_call *call)
{
    return (process->measured & call->measured) >> RUSAGE_INDEX_maxrss & 1;
}

/* A process that has had no memory for a second has released it in order to end. */
static int rusage_reported(int error)
{
    return error == ENODATA ? RUSAGE_NO_PROCESS : error;
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    rusage_record *record = &call->record;
    rusage_stat stat;
    int64_t ticks = sysconf(_SC_CLK_TCK), peak = 0, end = 0;
    int error;

    do {
        error = rusage_has_peak(process, call) ? rusage_read_peak(process, &peak) : 0;
        /* After the reading: if the process has not ended now, the peak was its own. */
        if (error == 0)
            error = rusage_read_stat(process, &stat);
    } while (rusage_try_again(process, error, &end));
    if (error != 0)
        return rusage_reported(error);
    memset(record, 0, sizeof *record);
    record->utime = MEASURED(utime, rusage_quotient((int64_t)stat.utime, ticks));
    record->stime = MEASURED(stime, rusage_quotient((int64_t)stat.stime, ticks));
    record->maxrss = MEASURED(maxrss, peak * call->maxrss_bytes);
    record->minflt = MEASURED(minflt, (int64_t)stat.minflt);
    record->majflt = MEASURED(majflt, (int64_t)stat.majflt);
    return 0;
}

static int64_t rusage_process_maxrss(const rusage_process *process, const rusage_call *call)
{
    int64_t peak = 0, end = 0;
    int error;

    do {
        error = rusage_read_peak(process, &peak);
        if (error == 0)
            error = rusage_check_alive(process);
    } while (rusage_try_again(process, error, &end));
    return error != 0 ? -rusage_reported(error) : peak * call->maxrss_bytes;
}

/* A thread of the kernel has no memory. Any other process without memory is about to end or to execute a program, unless
   only its first thread has ended. */
static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call)
{
    int is_kernel_thread = !(process->measured >> RUSAGE_INDEX_maxrss & 1);
    int64_t pages, sizes[2], end = 0;
    int error, ended;

    (void)call;
    do {
        pages = sizes[1] = 0;
        error = rusage_read_statm(process->directory, "statm", &pages);
        if (error == 0 && pages == 0 && !is_kernel_thread)
            error = rusage_read_threads(process->directory, "status", rusage_sizes, 2, sizes);
        if (error == 0 || error == ENODATA) {
            ended = rusage_check_alive(process);
            error = ended != 0 ? ended : error;
        }
    } while (rusage_try_again(process, error, &end));
    return error != 0 ? -rusage_reported(error) : pages * sysconf(_SC_PAGESIZE) + sizes[1] * 1024;
}

/* Return what identifies the PID namespace of this process; 0 if that is unknown. */
static uint64_t rusage_pid_namespace(void)
{
    struct stat file;

    return stat("/proc/self/ns/pid", &file) == 0 ? file.st_ino : 0;
}

/* Return whether the process has the same number here as where it was opened: a forked child may be in another namespace. */
static int rusage_has_its_number(const rusage_process *process)
{
    return !process->forked || (process->namespace != 0 && process->namespace == rusage_pid_namespace());
}

/* Get the CPU time, in seconds; return 0, an errno, or RUSAGE_NO_PROCESS. */
static int rusage_read_cputime(const rusage_process *process, double *cputime)
{
    struct timespec time;
    clockid_t clock;
    rusage_stat stat;
    int error, ended;

    if (!rusage_has_its_number(process)) {
        error = rusage_read_stat(process, &stat);
        if (error == 0)
            *cputime = rusage_quotient((int64_t)(stat.utime + stat.stime), sysconf(_SC_CLK_TCK));
        return error;
    }
    error = clock_getcpuclockid(process->pid, &clock);
    if (error == 0 && clock_gettime(clock, &time) != 0)
        error = errno;
    /* The clock belongs to the process that has the process ID now, which must still be this process. */
    ended = rusage_check_alive(process);
    if (ended == 0 && error == 0)
        *cputime = rusage_quotient((int64_t)time.tv_sec * 1000000000 + time.tv_nsec, 1000000000);
    return ended != 0 ? ended : error;
}

static double rusage_process_cputime(const rusage_process *process, const rusage_call *call)
{
    double cputime = 0;
    int64_t end = 0;
    int error;

    (void)call;
    do
        error = rusage_read_cputime(process, &cputime);
    while (rusage_try_again(process, error, &end));
    return error != 0 ? -error : cputime;
}
