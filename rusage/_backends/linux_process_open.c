/* Linux: open another process, by proc(5) and pidfd_open(2). */

#include "linux_process.h"

#include <signal.h>
#include <sys/syscall.h>

/* Not in headers older than Linux 5.3. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int rusage_pidfd_open(int pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

#define RUSAGE_KERNEL_THREAD 0x00200000u /* PF_KTHREAD */

/* With hidepid, opening the directory of another user's process fails with ENOENT, while kill(2) fails with EPERM. While
   a thread replaces the first one, opening may fail with ENOENT once (proc_pid_make_inode() in fs/proc/base.c). */
static int rusage_open_directory(int pid)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/%d", pid);
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
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
        close(process->directory);
        if (process->pidfd >= 0)
            close(process->pidfd);
        process->directory = process->pidfd = -1;
    }
}

/* Return 0, or, with both descriptors closed, an errno, RUSAGE_NO_PROCESS or ENODATA. */
static int rusage_open_once(rusage_process *process, int pid, const rusage_call *call, int64_t *end)
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
    if (process->pidfd < 0) {
        if (errno == ESRCH || errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            return errno;
        process->pidfd = -1; /* an old kernel, a sandbox, or the number of a thread */
    }
    process->directory = rusage_open_directory(pid);
    if (process->directory < 0) {
        error = -process->directory;
        if (process->pidfd >= 0)
            close(process->pidfd);
        process->pidfd = -1;
        return error;
    }
    process->is_open = 1;
    if (process->pidfd < 0) {
        error = rusage_read_status(process->directory, "status", rusage_tgid, 1, &number);
        if (error == 0 && number != pid) /* a thread */
            error = RUSAGE_NO_PROCESS;
    }
    if (error == 0)
        error = rusage_read_stat(process, &stat);
    if (error == 0 && stat.flags & RUSAGE_KERNEL_THREAD) /* it never has memory */
        process->measured &= ~((uint32_t)1 << RUSAGE_INDEX_maxrss);
    if (error == 0 && rusage_has_peak(process, call))
        do /* with the pidfd open, so that no other process can get the number */
            error = rusage_read_peak(process, &number);
        while (error == ENODATA && rusage_try_again(process, error, end));
    /* The directory may belong to another process, if this one ended before it was opened. */
    if (error == 0)
        error = rusage_check_alive(process);
    if (error != 0)
        rusage_process_close(process);
    return error;
}

/* cppcheck-suppress constParameterPointer; other systems write to it */
static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    int64_t end = 0;
    int error;

    do
        error = rusage_open_once(process, pid, call, &end);
    while (rusage_try_again(process, error, &end));
    return rusage_reported(error);
}
