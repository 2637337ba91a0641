/* Report the state that this process was started with, as "name=value" records that end with NUL, to the FIFO REPORT.
   Then do what the first argument says: "exit:N", "kill:N", or "cat" (copy the standard input to the standard output). */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

static char report[1 << 18];
static size_t used;

static void record(const char *format, ...)
{
    va_list values;
    int length;

    va_start(values, format);
    length = vsnprintf(report + used, sizeof report - used, format, values);
    va_end(values);
    if (length > 0 && used + (size_t)length + 1 < sizeof report)
        used += (size_t)length + 1;
}

static void descriptors(void)
{
    struct stat status;
    int fd, flags;
    char link[64], target[512];
    ssize_t length;

    for (fd = 0; fd < 300; fd++) {
        flags = fcntl(fd, F_GETFD);
        if (flags == -1 || fstat(fd, &status) == -1)
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        record("fd %d=%lld:%lld %lo %d %x %s", fd, (long long)status.st_dev, (long long)status.st_ino,
               (unsigned long)(status.st_mode & S_IFMT), flags, fcntl(fd, F_GETFL), target);
    }
}

static void signals(void)
{
    struct sigaction action;
    sigset_t mask;
    int number;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (number = 1; number < NSIG; number++) {
        if (sigismember(&mask, number) == 1)
            record("signal %d blocked=1", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            record("signal %d action=%s", number, action.sa_handler == SIG_IGN ? "ignored" : "caught");
    }
}

static void identity(void)
{
    gid_t groups[1024];
    char folder[4096];
    int count = getgroups(1024, groups), i;
    mode_t mask = umask(0);

    for (i = 0; i < count; i++)
        record("group %d=%lu", i, (unsigned long)groups[i]);
    record("ids=%lu %lu %lu %lu", (unsigned long)getuid(), (unsigned long)geteuid(), (unsigned long)getgid(),
           (unsigned long)getegid());
    record("pids=%ld %ld %ld %ld", (long)getpid(), (long)getppid(), (long)getpgrp(), (long)getsid(0));
    record("umask=%lo", (unsigned long)mask);
    record("nice=%d", getpriority(PRIO_PROCESS, 0));
    record("cwd=%s", getcwd(folder, sizeof folder) ? folder : strerror(errno));
}

static void limits(void)
{
    struct rlimit limit;
    int number;

    for (number = 0; number < 16; number++)
        if (getrlimit(number, &limit) == 0)
            record("limit %d=%llu %llu", number, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
}

#ifdef __linux__
/* Values that differ from process to process, or that a start does not decide. */
static const char *const changing[] = {"Pid", "Tgid", "PPid", "NS", "Vm", "Rss", "State", "FDSize", "SigQ", "Hugetlb",
                                       "voluntary", "nonvoluntary", "untag", NULL};

static void file_of_proc(const char *name, int by_line)
{
    char path[64], line[1024];
    const char *const *prefix;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/%s", name);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        for (prefix = changing; *prefix && strncmp(line, *prefix, strlen(*prefix)) != 0; prefix++)
            ;
        if (!by_line)
            record("%s=%s", name, line);
        else if (!*prefix && strchr(line, ':')) {
            *strchr(line, ':') = '=';
            record("%s %s", name, line);
        }
    }
    if (file)
        fclose(file);
}

static void system_state(void)
{
    static const char *const names[] = {"oom_score_adj", "coredump_filter", "timerslack_ns", "personality", "loginuid",
                                        "uid_map", "gid_map", "attr/current", NULL};
    const char *const *name;
    struct stat status;
    int value = -1;

    file_of_proc("status", 1);
    for (name = names; *name; name++)
        file_of_proc(*name, 0);
    record("dumpable=%d", prctl(PR_GET_DUMPABLE));
    record("securebits=%d", prctl(PR_GET_SECUREBITS));
    record("keepcaps=%d", prctl(PR_GET_KEEPCAPS));
    record("subreaper=%d", prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 ? value : -1);
    record("pdeathsig=%d", prctl(PR_GET_PDEATHSIG, &value) == 0 ? value : -1);
    if (stat("/proc/self/fd", &status) == 0)
        record("owner=%lu", (unsigned long)status.st_uid);
}
#else
static void system_state(void)
{
}
#endif

int main(int argc, char **argv)
{
    const char *todo = argc > 1 ? argv[1] : "";
    char data[4096];
    ssize_t size;
    int i, fd;

    descriptors();
    signals();
    limits();
    for (i = 0; i < argc; i++)
        record("argument %d=%s", i, argv[i]);
    for (i = 0; environ[i]; i++)
        record("environment %d=%s", i, environ[i]);
    system_state();
    identity();
    record("end=1");
    fd = open(REPORT, O_WRONLY);
    if (fd >= 0 && write(fd, report, used) < 0)
        return 99;
    close(fd);
    if (write(1, "out\r\n\xc3\xa9\n", 8) < 0 || write(2, "err\n", 4) < 0)
        i = 98;
    while (strcmp(todo, "cat") == 0 && (size = read(0, data, sizeof data)) > 0)
        if (write(1, data, (size_t)size) < 0)
            return 97;
    if (strncmp(todo, "kill:", 5) == 0)
        kill(getpid(), atoi(todo + 5));
    return strncmp(todo, "exit:", 5) == 0 ? atoi(todo + 5) : i == 98 ? 98 : 0;
}
