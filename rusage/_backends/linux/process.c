/* Linux: another process, by proc(5) and its pidfd.

   A process ID is not a process. When a process has ended, a later one can get its ID, and a reader
   that opened /proc/PID again would report the figures of the later one. So a folder of /proc and a
   pidfd are opened once, and refer to the first process for ever. But an end that they show may be
   false: while a thread executes a program, it takes over the process ID from the first thread, and
   for a moment the process seems to have ended or to have no memory. A reader that believed this
   would lose a process that lives; so an end is believed only if it is seen twice. */

#include "members.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

/* Not in headers older than Linux 5.3. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* --- Reading --- */

/* Return 0, an errno, or RUSAGE_NO_PROCESS for a process that has ended. */
static int rusage_process_stat(const rusage_process *process, rusage_stat *stat)
{
    int error = rusage_read_stat(process->directory, stat);

    return error == 0 && rusage_has_ended(stat) ? RUSAGE_NO_PROCESS : error;
}

/* Return 0 while the process of a pidfd lives, RUSAGE_NO_PROCESS when all its threads have ended,
   or an errno. */
static int rusage_check_pidfd(int pidfd)
{
    struct pollfd ended = {pidfd, POLLIN, 0};
    int events;

    do
        events = poll(&ended, 1, 0);
    while (events < 0 && errno == EINTR);
    if (events < 0)
        return errno;
    if (ended.revents & POLLNVAL)
        return EBADF;
    return events == 0 ? 0 : RUSAGE_NO_PROCESS;
}

/* The same for a process that may have none. */
static int rusage_check_alive(const rusage_process *process)
{
    rusage_stat stat;

    return process->pidfd < 0 ? rusage_process_stat(process, &stat)
                              : rusage_check_pidfd(process->pidfd);
}

/* Return the error of a reading of a process's memory: ENODATA, to be repeated, if it has none but
   lives. */
static int rusage_error_of_memory(const rusage_process *process, int error)
{
    int ended;

    if (error != 0 && error != ESRCH && error != ENODATA)
        return error;
    ended = rusage_check_alive(process);
    if (ended != 0)
        return ended;
    return error == ESRCH ? ENODATA : error;
}

/* Of one reading; zeros before its first attempt. */
typedef struct {
    int is_repeated;
    int64_t deadline;               /* of the repetitions, in ms */
} rusage_retry;

/* Return whether the pidfd and the stat file both show the end now, if the process has them. */
static int rusage_looks_ended(const rusage_process *process)
{
    rusage_stat stat;

    return (process->pidfd < 0 || rusage_check_pidfd(process->pidfd) == RUSAGE_NO_PROCESS)
           && (process->directory < 0 || rusage_process_stat(process, &stat) == RUSAGE_NO_PROCESS);
}

/* Wait a millisecond and return 1 if a reading that has failed is to be repeated. For moments,
   while a thread other than the first one executes a program, a process that lives

   - has no memory: ENODATA;
   - has files in /proc that cannot be read, or a stat file that shows it ended: ESRCH, often in
     several readings, if each program executes the next one at once;
   - has a pidfd that shows it ended: once in 10 million calls on Linux 6.18.

   Therefore the end is believed
   - at once, if the pidfd and stat both show it;
   - a millisecond later, if there is no pidfd, and stat still shows it;
   - after a second, whatever they show: stat never shows the end if the directory belongs to a
     later process. */
static int rusage_try_again(const rusage_process *process, int error, rusage_retry *retry)
{
    int has_two_looks = process->pidfd >= 0 || retry->is_repeated;
    int64_t now;                    /* ms */

    if (error != RUSAGE_NO_PROCESS && error != ENODATA)
        return 0;
    if (error == RUSAGE_NO_PROCESS && has_two_looks && rusage_looks_ended(process))
        return 0;
    now = rusage_monotonic();
    if (!retry->is_repeated)
        retry->deadline = now + 1000;
    retry->is_repeated = 1;
    return now < retry->deadline && rusage_pause();
}

/* Get the peak of the program that the process executes, in KiB; return 0, an errno,
   RUSAGE_NO_PROCESS, or ENODATA for a process that has no memory now. */
static int rusage_read_peak(const rusage_process *process, int64_t *peak)
{
    int error = rusage_read_size(process->directory, "status", "\nVmHWM:", peak);

    return error == 0 ? 0 : rusage_error_of_memory(process, error);
}

static int rusage_has_peak(const rusage_process *process, const rusage_call *call)
{
    return (process->measured & call->measured) >> RUSAGE_INDEX_maxrss & 1;
}

/* A process that has had no memory for a second has released it in order to end. */
static int rusage_final_error(int error)
{
    return error == ENODATA ? RUSAGE_NO_PROCESS : error;
}

/* A size of this process itself counts for its peak. */
static int64_t rusage_process_note_size(const rusage_process *process, int64_t size)
{
    return process->pid == getpid() && !process->forked ? rusage_note_size(size) : size;
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    rusage_values values = {0};
    rusage_stat stat;
    rusage_retry retry = {0};
    int error;

    do {
        error = rusage_has_peak(process, call) ? rusage_read_peak(process, &values.maxrss) : 0;
        /* After the reading: if the process has not ended now, the peak was its own. */
        if (error == 0)
            error = rusage_process_stat(process, &stat);
    } while (rusage_try_again(process, error, &retry));
    if (error != 0)
        return rusage_final_error(error);
    rusage_process_note_size(process, values.maxrss * 1024);
    values.utime = stat.field[STAT_UTIME];
    values.stime = stat.field[STAT_STIME];
    values.minflt = stat.field[STAT_MINFLT];
    values.majflt = stat.field[STAT_MAJFLT];
    rusage_convert_values(&values, sysconf(_SC_CLK_TCK), call);
    return 0;
}

static int64_t rusage_process_maxrss(const rusage_process *process, const rusage_call *call)
{
    rusage_retry retry = {0};
    int64_t peak = 0;
    int error;

    do {
        error = rusage_read_peak(process, &peak);
        if (error == 0)
            error = rusage_check_alive(process);
    } while (rusage_try_again(process, error, &retry));
    return error != 0 ? -rusage_final_error(error)
                      : rusage_process_note_size(process, peak * call->maxrss_bytes);
}

/* A thread of the kernel has no memory. Any other process without memory is about to end or to
   execute a program, unless only its first thread has ended. */
static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call)
{
    int is_kernel_thread = !(process->measured >> RUSAGE_INDEX_maxrss & 1);
    rusage_retry retry = {0};
    int64_t pages, size;            /* KiB */
    int error;

    do {
        pages = size = 0;
        error = rusage_read_statm(process->directory, "statm", &pages);
        if (error == 0 && pages == 0 && !is_kernel_thread)
            error = rusage_read_number_of_a_thread(process->directory, "status", "\nVmRSS:", &size);
        error = rusage_error_of_memory(process, error);
    } while (rusage_try_again(process, error, &retry));
    if (error != 0)
        return -rusage_final_error(error);
    return rusage_process_note_size(process, pages * sysconf(_SC_PAGESIZE) + size * 1024);
}

/* Return what identifies the PID namespace of this process; 0 if that is unknown. */
static uint64_t rusage_pid_namespace(void)
{
    struct stat file;

    return stat("/proc/self/ns/pid", &file) == 0 ? file.st_ino : 0;
}

/* Return whether the process has the same number here as where it was opened: a forked child may be
   in another namespace. */
static int rusage_has_its_number(const rusage_process *process)
{
    return !process->forked
           || (process->namespace != 0 && process->namespace == rusage_pid_namespace());
}

/* Get the CPU time, in seconds; return 0, an errno, or RUSAGE_NO_PROCESS. */
static int rusage_read_cputime(const rusage_process *process, double *cputime)
{
    rusage_stat stat;
    double seconds = 0;
    int error, ended;

    if (!rusage_has_its_number(process)) {
        error = rusage_process_stat(process, &stat);
        if (error == 0)
            *cputime = rusage_stat_seconds(&stat, STAT_UTIME, STAT_STIME);
        return error;
    }
    error = rusage_read_clock(process->pid, &seconds);
    /* The clock belongs to the process that has the process ID now, which must still be this
       process. */
    ended = rusage_check_alive(process);
    if (ended == 0 && error == 0)
        *cputime = seconds;
    return ended != 0 ? ended : error;
}

static double rusage_process_cputime(const rusage_process *process, const rusage_call *call)
{
    double cputime = 0;
    rusage_retry retry = {0};
    int error;

    do
        error = rusage_read_cputime(process, &cputime);
    while (rusage_try_again(process, error, &retry));
    return error != 0 ? -error : cputime;
}

/* Return the proportional set size in bytes, or a negative errno. */
static int64_t rusage_process_pss(const rusage_process *process)
{
    rusage_retry retry = {0};
    int64_t size = 0;
    int is_kernel_thread = !(process->measured >> RUSAGE_INDEX_maxrss & 1), error;

    do {
        {
            RUSAGE_RELEASE_GIL;
            error = rusage_read_pss(process->directory, &size);
            RUSAGE_RETAKE_GIL;
        }
        error = rusage_error_of_memory(process, error);
    } while (!is_kernel_thread && rusage_try_again(process, error, &retry));
    if (error == ENODATA && is_kernel_thread)
        return 0;
    return error != 0 ? -rusage_final_error(error) : size * 1024;
}

/* Get the ID of a thread that has memory, which the first one has until its end; 0 if the process
   has none. */
static int rusage_thread_with_memory(int pid, int directory, int *thread)
{
    char path[sizeof((struct dirent *)0)->d_name + sizeof "/statm"];
    const struct dirent *entry;
    int64_t pages = 0;
    DIR *threads;
    int end = 0, error = rusage_read_statm(directory, "statm", &pages);

    error = rusage_ignore_error_of_process(error);
    *thread = pages > 0 ? pid : 0;
    if (*thread != 0 || error != 0)
        return error;
    error = rusage_open_threads(directory, &threads);
    if (error != 0)
        return rusage_ignore_error_of_process(error);
    while (*thread == 0 && error == 0 && (entry = rusage_next_entry(threads, &end)) != NULL) {
        snprintf(path, sizeof path, "%s/statm", entry->d_name);
        error = rusage_ignore_error_of_process(rusage_read_statm(dirfd(threads), path, &pages));
        if (pages > 0)
            *thread = atoi(entry->d_name);
    }
    rusage_close_list(threads);
    return error != 0 ? error : rusage_ignore_error_of_process(end);
}

/* Compare the memory of two threads by kcmp(2); return 0 or an errno, EPERM where it is refused or
   missing. */
static int rusage_compare_memory(int thread, int other, int *is_same)
{
    long order = syscall(SYS_kcmp, thread, other, 1 /* KCMP_VM */, 0, 0);

    *is_same = order == 0;
    if (order >= 0)
        return 0;
    return errno == ENOSYS || errno == EACCES ? EPERM : errno;
}

/* Find out whether two processes use the same memory. Return ESRCH if one of them has none: to
   kcmp(2), all threads that have ended use the same. */
static int rusage_have_same_memory(int pid, int directory, int other, int directory_of_other,
                                   int *is_same)
{
    int thread, other_thread = 0, error = rusage_thread_with_memory(pid, directory, &thread);

    if (error == 0)
        error = rusage_thread_with_memory(other, directory_of_other, &other_thread);
    if (error == 0 && (thread == 0 || other_thread == 0))
        error = ESRCH;
    return error != 0 ? error : rusage_compare_memory(thread, other_thread, is_same);
}

/* --- Opening --- */

static int rusage_pidfd_open(int pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Open /proc/PID and note it, as other files of readings. With hidepid, opening the directory of
   another user's process fails with ENOENT, while kill(2) fails with EPERM. While a thread replaces
   the first one, opening may fail with ENOENT once (proc_pid_make_inode() in fs/proc/base.c). */
static int rusage_open_directory(int pid)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/%d", pid);
    fd = rusage_open_noted(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT)
        fd = rusage_open_noted(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return kill(pid, 0) == 0 || errno == EPERM ? -EPERM : -errno;
    return -errno;
}

static void rusage_process_close(rusage_process *process)
{
    if (process->is_open) {
        process->is_open = 0;
        rusage_close_fd(&process->directory);
        rusage_close_fd(&process->pidfd);
    }
}

/* Return 0, an errno, RUSAGE_NO_PROCESS or ENODATA. */
static int rusage_open_once(rusage_process *process, int pid, const rusage_call *call)
{
    int64_t number = 0;
    int error = rusage_check_proc();
    rusage_stat stat;

    if (error != 0)
        return error;
    process->pid = pid;
    process->directory = process->pidfd = -1;
    process->measured = UINT32_MAX;
    process->namespace = rusage_pid_namespace();
    process->pidfd = rusage_pidfd_open(pid);
    /* Other errors: an old kernel, a sandbox, or the number of a thread. */
    if (process->pidfd < 0
        && (errno == ESRCH || errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return errno;
    process->is_open = 1;
    process->directory = rusage_open_directory(pid);
    rusage_keep_noted(process->directory); /* a forked child can use it too */
    if (process->directory < 0)
        error = -process->directory;
    else if (process->pidfd < 0) {
        error = rusage_read_number(process->directory, "status", "\nTgid:", &number);
        if (error == 0 && number != pid) { /* a thread: its stat file would show it alive */
            rusage_close_fd(&process->directory);
            error = RUSAGE_NO_PROCESS;
        }
    }
    if (error == 0)
        error = rusage_process_stat(process, &stat);
    if (error == 0 && stat.field[STAT_FLAGS] & 0x00200000) /* PF_KTHREAD: it never has memory */
        process->measured &= ~((uint32_t)1 << RUSAGE_INDEX_maxrss);
    if (error == 0 && rusage_has_peak(process, call))
        error = rusage_read_peak(process, &number);
    /* The directory may belong to another process, if this one ended before it was opened. */
    return error != 0 ? error : rusage_check_alive(process);
}

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    rusage_retry retry = {0};
    int error, is_repeated;

    do {
        error = rusage_open_once(process, pid, call);
        /* A number that pidfd_open() does not know belongs to no process, also during exec. */
        is_repeated = process->is_open && rusage_try_again(process, error, &retry);
        if (error != 0)
            rusage_process_close(process);
    } while (is_repeated);
    return rusage_final_error(error);
}
