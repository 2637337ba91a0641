/* To be preloaded: the stat file of a process, `of`, is missing as often as `missing` says. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int missing, of;

static int is_of(int directory)
{
    char wanted[32], link[32], target[32] = "";

    snprintf(wanted, sizeof wanted, "/proc/%d", of);
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    return readlink(link, target, sizeof target - 1) > 0 && strcmp(target, wanted) == 0;
}

static int open_at(int directory, const char *path, int flags, int mode)
{
    if (missing > 0 && strcmp(path, "stat") == 0 && is_of(directory)) {
        missing--;
        errno = ESRCH;
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list rest;
    int mode;

    va_start(rest, flags);
    mode = va_arg(rest, int);
    va_end(rest);
    return open_at(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
    va_list rest;
    int mode;

    va_start(rest, flags);
    mode = va_arg(rest, int);
    va_end(rest);
    return open_at(directory, path, flags, mode);
}
