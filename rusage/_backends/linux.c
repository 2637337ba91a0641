/* Linux. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"
#include "../_c/process.h"

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* Return whether a signal is ignored. PyPy's signal.getsignal() does not report inherited dispositions. */
static int rusage_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Return whether all permitted capabilities are also ambient, that is, kept when an unprivileged program is executed.
   Headers older than Linux 4.3 lack the constants for ambient capabilities (linux/prctl.h). */
static int rusage_keeps_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint64_t permitted;
    int capability;

    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    for (capability = 0; capability < 64; capability++)
        if (permitted >> capability & 1
            && prctl(47 /* PR_CAP_AMBIENT */, 1 /* PR_CAP_AMBIENT_IS_SET */, (unsigned long)capability, 0, 0) != 1)
            return 0;
    return 1;
}

/* Return whether a program executed by this process is as well protected from other processes as this process. The
   launcher handles trusted data, so a process that may not trace this one must not be able to trace the launcher
   (ptrace(2), "Ptrace access mode checking"). */
static int rusage_may_launch(void)
{
    uid_t user, effective_user, saved_user;
    gid_t group, effective_group, saved_group;

    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 && getresuid(&user, &effective_user, &saved_user) == 0
           && user == effective_user && user == saved_user && getresgid(&group, &effective_group, &saved_group) == 0
           && group == effective_group && group == saved_group && (user == 0 || rusage_keeps_capabilities());
}

/* --- Another process: proc(5) and pidfd_open(2) ------------------------------------------------------------------- */

/* Not in headers older than Linux 5.3. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#if defined __ANDROID__ && __ANDROID_API__ < 31
/* Before version 12 Android kills an app that makes a system call that is not in its list. */
static int rusage_pidfd_open(int pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}
#else
static int rusage_pidfd_open(int pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}
#endif

/* What is read of /proc/PID/stat. */
typedef struct {
    char state;
    unsigned long long minflt, majflt, utime, stime;
    long threads;                   /* those that have not been waited for */
} rusage_stat;

/* Open a file below /proc/PID; return its descriptor or a negative errno. The descriptor of the directory never finds
   the files of another process that has got the number. */
static int rusage_proc_open(int directory, const char *path, int flags)
{
    int fd = openat(directory, path, flags | O_RDONLY | O_CLOEXEC);

    /* The process has just ended, in which case this fails with ESRCH, or hidepid=2 hides its files. */
    if (fd < 0 && errno == ENOENT)
        fd = openat(directory, path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -EPERM : -errno;
    return fd;
}

/* The second field is the name in parentheses, which may contain parentheses, spaces and newlines. */
static int rusage_parse_stat(const char *text, rusage_stat *stat)
{
    const char *end = strrchr(text, ')');

    if (end == NULL
        || sscanf(end, ") %c %*d %*d %*d %*d %*d %*u %llu %*u %llu %*u %llu %llu %*d %*d %*d %*d %ld", &stat->state,
                  &stat->minflt, &stat->majflt, &stat->utime, &stat->stime, &stat->threads)
               != 6)
        return EIO;
    return 0;
}

/* Read a short file into a string, in one system call; return 0 or an errno. */
static int rusage_read_text(int directory, const char *path, char *text, size_t capacity)
{
    int fd = rusage_proc_open(directory, path, 0), error = 0;
    ssize_t size;

    if (fd < 0)
        return -fd;
    size = read(fd, text, capacity - 1);
    if (size < 0)
        error = errno;
    else
        text[size] = '\0';
    close(fd);
    return error;
}

/* Read /proc/PID/stat; return 0, an errno, or RUSAGE_NO_PROCESS for a process that has ended. */
static int rusage_read_stat(const rusage_process *process, rusage_stat *stat)
{
    char text[2048];                /* 52 fields of at most 20 digits, and the name */
    int error = rusage_read_text(process->directory, "stat", text, sizeof text);

    if (error == 0)
        error = rusage_parse_stat(text, stat);
    /* A zombie. If other threads go on after the end of the first one, that one is a zombie among them. */
    if (error == 0 && strchr("ZXx", stat->state) != NULL && stat->threads <= 1)
        error = RUSAGE_NO_PROCESS;
    return error;
}

/* How the lines of a status file start, in their order. */
static const char *const rusage_tgid[] = {"\nTgid:"};
static const char *const rusage_sizes[] = {"\nVmHWM:", "\nVmRSS:"};

/* Get the numbers in the lines of a status file that start with the first `count` of `starts`; return 0, an errno, or
   ENODATA if there is no such line. */
static int rusage_read_status(int directory, const char *path, const char *const *starts, int count, int64_t *numbers)
{
    char text[4096];
    const size_t longest = 64;      /* more than such a line has */
    size_t used = 0;
    int found = 0;
    const char *line;
    int fd = rusage_proc_open(directory, path, 0), error = 0;
    ssize_t size = 0;

    if (fd < 0)
        return -fd;
    /* The list of groups, which precedes VmHWM, may have 65536 numbers. */
    while (found < count && (size = read(fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)size;
        text[used] = '\0';
        while (found < count && (line = strstr(text, starts[found])) != NULL && strchr(line + 1, '\n') != NULL) {
            numbers[found] = strtoll(line + strlen(starts[found]), NULL, 10);
            found++;
        }
        if (used > longest) {
            memmove(text, text + used - longest, longest);
            used = longest;
        }
    }
    if (found < count)
        error = size < 0 ? errno : ENODATA;
    close(fd);
    return error;
}

/* Get the peak in KiB from another thread: the first one may have ended, and has no memory then. */
static int rusage_read_threads_peak(const rusage_process *process, int64_t *peak)
{
    char path[sizeof((struct dirent *)0)->d_name + sizeof "/status"];
    int fd = rusage_proc_open(process->directory, "task", O_DIRECTORY), error = ENODATA;
    const struct dirent *entry;
    DIR *threads;

    if (fd < 0)
        return -fd;
    threads = fdopendir(fd);
    if (threads == NULL) {
        error = errno;
        close(fd);
        return error;
    }
    while (error != 0 && (entry = readdir(threads)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/status", entry->d_name);
        if (rusage_read_status(fd, path, rusage_sizes, 1, peak) == 0)
            error = 0;
    }
    closedir(threads);
    return error;
}

/* Get the peak of the program that the process executes, in KiB; return 0, an errno, or ENODATA if it has no memory. */
static int rusage_read_peak(const rusage_process *process, int64_t *peak)
{
    int error = rusage_read_status(process->directory, "status", rusage_sizes, 1, peak);

    return error == ENODATA ? rusage_read_threads_peak(process, peak) : error;
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
    return events > 0 ? RUSAGE_NO_PROCESS : 0;
}

static int rusage_has_peak(const rusage_process *process, const rusage_call *call)
{
    return (process->measured & call->measured) >> RUSAGE_INDEX_maxrss & 1;
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    rusage_record *record = &call->record;
    rusage_stat stat;
    int64_t ticks = sysconf(_SC_CLK_TCK), peak = 0;
    int error = 0;

    if (rusage_has_peak(process, call))
        error = rusage_read_peak(process, &peak);
    if (error != 0 && error != ENODATA)
        return error;
    /* After the peak: if the process has not ended now, the peak was its own. If it has no memory it is about to end. */
    if (error == 0)
        error = rusage_read_stat(process, &stat);
    else
        error = RUSAGE_NO_PROCESS;
    if (error != 0)
        return error;
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
    int64_t peak = 0;
    int error = rusage_read_peak(process, &peak), ended;

    if (error != 0 && error != ENODATA)
        return -error;
    ended = error == 0 ? rusage_check_alive(process) : RUSAGE_NO_PROCESS;
    return ended != 0 ? -ended : peak * call->maxrss_bytes;
}

/* Return what identifies the PID namespace of this process; 0 if that is unknown. */
static uint64_t rusage_pid_namespace(void)
{
    struct stat file;

    return stat("/proc/self/ns/pid", &file) == 0 ? file.st_ino : 0;
}

/* Return whether the process has the same number here as where it was opened: a child may be in another namespace. */
static int rusage_has_its_number(const rusage_process *process)
{
    return !process->forked || (process->namespace != 0 && process->namespace == rusage_pid_namespace());
}

/* The clock is that of whatever process has the number: only if this one still has it, the time was its own. */
static double rusage_process_cputime(const rusage_process *process, const rusage_call *call)
{
    struct timespec time;
    clockid_t clock;
    rusage_stat stat;
    int error, ended;

    (void)call;
    if (!rusage_has_its_number(process)) {
        error = rusage_read_stat(process, &stat);
        return error != 0 ? -error : rusage_quotient((int64_t)(stat.utime + stat.stime), sysconf(_SC_CLK_TCK));
    }
    error = clock_getcpuclockid(process->pid, &clock);
    if (error == 0 && clock_gettime(clock, &time) != 0)
        error = errno;
    ended = rusage_check_alive(process);
    if (ended != 0 || error != 0)
        return ended != 0 ? -ended : -error;
    return rusage_quotient((int64_t)time.tv_sec * 1000000000 + time.tv_nsec, 1000000000);
}

/* Return 0 if /proc shows the processes by the numbers that they have here, in this PID namespace. */
static int rusage_check_proc(void)
{
    char self[32];
    ssize_t size = readlink("/proc/self", self, sizeof self - 1);

    if (size < 0)
        return errno;
    self[size] = '\0';
    return atoi(self) == getpid() ? 0 : ENOENT;
}

/* With hidepid, /proc says that there is no such process, while kill(2) says that it may not be signalled. */
static int rusage_open_directory(int pid)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/%d", pid);
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
    }
}

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    int64_t number = 0;
    int error = rusage_check_proc();
    rusage_stat stat;

    (void)call;
    if (error != 0)
        return error;
    process->pid = pid;
    process->measured = UINT32_MAX;
    process->namespace = rusage_pid_namespace();
    process->pidfd = rusage_pidfd_open(pid);
    /* cppcheck-suppress knownConditionTrueFalse; on an old Android only */
    if (process->pidfd < 0) {
        if (errno == ESRCH || errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            return errno;
        process->pidfd = -1;                /* an old kernel, a sandbox, or the number of a thread */
    }
    process->directory = rusage_open_directory(pid);
    if (process->directory < 0) {
        error = -process->directory;
        if (process->pidfd >= 0)
            close(process->pidfd);
        return error;
    }
    process->is_open = 1;
    if (process->pidfd < 0) {
        error = rusage_read_status(process->directory, "status", rusage_tgid, 1, &number);
        if (error == 0 && number != pid)    /* a thread */
            error = RUSAGE_NO_PROCESS;
    }
    if (error == 0) {
        error = rusage_read_peak(process, &number);
        if (error == ENODATA) {             /* a thread of the kernel */
            process->measured &= ~((uint32_t)1 << RUSAGE_INDEX_maxrss);
            error = 0;
        }
    }
    if (error == 0)
        error = rusage_read_stat(process, &stat);
    /* The directory may be that of another process, if this one ended before it was opened. */
    if (error == 0)
        error = rusage_check_alive(process);
    if (error != 0)
        rusage_process_close(process);
    return error;
}

/* --- The peak of this process ---------------------------------------------------------------------------------------- */

/* Get the second number of /proc/self/statm, the resident set size in pages. It is as exact as VmRSS. */
static int rusage_read_statm(int64_t *pages)
{
    char text[256];                 /* seven numbers */
    const char *second;
    int error = rusage_read_text(AT_FDCWD, "/proc/self/statm", text, sizeof text);

    if (error != 0)
        return error;
    second = strchr(text, ' ');
    if (second == NULL)
        return EIO;
    *pages = strtoll(second, NULL, 10);
    return 0;
}

/* Get this process's high-water mark and its resident set size, in bytes. The mark is VmHWM in /proc/self/status, but the
   kernel takes long to write all of that file. ru_maxrss is the larger one of the mark and the peak that the process
   inherited at exec, which never changes. So if ru_maxrss was ever less than now, it is the mark. */
static int rusage_own_sizes(int64_t sizes[2])
{
    static int64_t least = INT64_MAX;   /* ru_maxrss so far; Python calls this with a lock */
    struct rusage usage;
    int error;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return errno;
    if (usage.ru_maxrss <= least) {
        least = usage.ru_maxrss;
        error = rusage_read_status(AT_FDCWD, "/proc/self/status", rusage_sizes, 2, sizes);
        sizes[0] *= 1024;               /* KiB */
        sizes[1] *= 1024;
        return error;
    }
    error = rusage_read_statm(&sizes[1]);
    sizes[1] *= sysconf(_SC_PAGESIZE);
    sizes[0] = (int64_t)usage.ru_maxrss * 1024;
    if (sizes[0] < sizes[1])            /* the kernel updates the mark late */
        sizes[0] = sizes[1];
    return error;
}

/* Get this process's high-water mark and its resident set size, in bytes, and then, if reset is not 0, set the mark to
   the size (man page: proc_pid_clear_refs, section 5; in kernels with CONFIG_PROC_PAGE_MONITOR, since 4.0). A peak
   between the two is lost: Python would have to acquire the GIL between them, which may take long. */
static int rusage_peak(int64_t sizes[2], int reset)
{
    int clear_refs = -1, error;

    if (reset && (clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)) < 0)
        return errno;
    error = rusage_own_sizes(sizes);
    if (error == 0 && reset && write(clear_refs, "5", 1) != 1)
        error = errno;
    if (reset)
        close(clear_refs);
    return error;
}
