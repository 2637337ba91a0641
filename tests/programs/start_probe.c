/* Report the state that this process was started with, as "name=value" records that end with NUL,
   to the FIFO REPORT. Then do what the first argument says: "exit:N", "kill:N", or "cat" (copy the
   standard input to the standard output). */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

#define RECORD(format, ...) dprintf(report, format "%c", __VA_ARGS__, 0)

extern char **environ;

static int report;

static void descriptors(void)
{
    struct stat status;
    int fd, flags;
    char link[64], target[512];
    ssize_t length;

    for (fd = 0; fd < 300; fd++) {
        flags = fcntl(fd, F_GETFD);
        if (fd == report || flags == -1 || fstat(fd, &status) == -1)
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        RECORD("fd %d=%lld:%lld %lo %d %x %s", fd, (long long)status.st_dev,
               (long long)status.st_ino, (unsigned long)(status.st_mode & S_IFMT), flags,
               fcntl(fd, F_GETFL), target);
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
            RECORD("signal %d blocked=1", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            RECORD("signal %d action=%s", number,
                   action.sa_handler == SIG_IGN ? "ignored" : "caught");
    }
}

static void identity(void)
{
    gid_t groups[1024];
    char folder[4096];
    int count = getgroups(1024, groups), i;

    for (i = 0; i < count; i++)
        RECORD("group %d=%lu", i, (unsigned long)groups[i]);
    RECORD("ids=%lu %lu %lu %lu", (unsigned long)getuid(), (unsigned long)geteuid(),
           (unsigned long)getgid(), (unsigned long)getegid());
    RECORD("pids=%ld %ld %ld %ld", (long)getpid(), (long)getppid(), (long)getpgrp(),
           (long)getsid(0));
    RECORD("umask=%lo", (unsigned long)umask(0));
    RECORD("nice=%d", getpriority(PRIO_PROCESS, 0));
    RECORD("cwd=%s", getcwd(folder, sizeof folder) ? folder : strerror(errno));
}

static void limits(void)
{
    struct rlimit limit;
    int number;

    for (number = 0; number < 16; number++)
        if (getrlimit(number, &limit) == 0)
            RECORD("limit %d=%llu %llu", number, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
}

static void system_state(void)
{
#ifdef __linux__
    static const char *const files[] = {
        "status",   "oom_score_adj", "coredump_filter", "timerslack_ns", "personality",
        "loginuid", "uid_map",       "gid_map",         "attr/current",  NULL};
    const char *const *name;
    char path[64], text[8192];
    struct stat status;
    int fd, value = -1;
    ssize_t size;

    for (name = files; *name; name++) {
        snprintf(path, sizeof path, "/proc/self/%s", *name);
        fd = open(path, O_RDONLY);
        size = read(fd, text, sizeof text);
        RECORD("%s=%.*s", *name, size < 0 ? 0 : (int)size, text);
        close(fd);
    }
    RECORD("dumpable=%d", prctl(PR_GET_DUMPABLE));
    RECORD("securebits=%d", prctl(PR_GET_SECUREBITS));
    RECORD("keepcaps=%d", prctl(PR_GET_KEEPCAPS));
    RECORD("subreaper=%d", prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 ? value : -1);
    RECORD("pdeathsig=%d", prctl(PR_GET_PDEATHSIG, &value) == 0 ? value : -1);
    if (stat("/proc/self/fd", &status) == 0)
        RECORD("owner=%lu", (unsigned long)status.st_uid);
#endif
}

int main(int argc, char **argv)
{
    const char *todo = argc > 1 ? argv[1] : "";
    char data[4096];
    ssize_t size;
    int i, written;

    report = open(REPORT, O_WRONLY);
    descriptors();
    signals();
    limits();
    for (i = 0; i < argc; i++)
        RECORD("argument %d=%s", i, argv[i]);
    for (i = 0; environ[i]; i++)
        RECORD("environment %d=%s", i, environ[i]);
    system_state();
    identity();
    RECORD("end=%d", 1);
    close(report);
    written = write(1, "out\r\n\xc3\xa9\n", 8) >= 0 && write(2, "err\n", 4) >= 0;
    while (strcmp(todo, "cat") == 0 && (size = read(0, data, sizeof data)) > 0)
        if (write(1, data, (size_t)size) < 0)
            return 97;
    if (strncmp(todo, "kill:", 5) == 0)
        kill(getpid(), atoi(todo + 5));
    return strncmp(todo, "exit:", 5) == 0 ? atoi(todo + 5) : written ? 0 : 98;
}
