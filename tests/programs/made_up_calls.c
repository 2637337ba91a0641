/* To be preloaded: the stat file of a process, `of`, is missing as often as `missing` says; it is
   the tick `now`, unless that is 0; and pidfds have inodes that are larger by `larger`. If
   `another` is 1, another process has its number when its size is read by that number. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int missing, of, now, larger, another;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    long ticks = sysconf(_SC_CLK_TCK);
    int error;

    if (clock != CLOCK_BOOTTIME || now == 0) {
        error = (int)syscall(SYS_clock_gettime, clock, time);
        time->tv_nsec += clock < 0 && another == 2;
        return error;
    }
    time->tv_sec = now / ticks;
    time->tv_nsec = now % ticks * (1000000000 / ticks);
    return 0;
}

int fstat(int fd, struct stat *status)
{
    int error = fstatat(fd, "", status, 0x1000 /* AT_EMPTY_PATH */);

    if (error == 0 && (status->st_mode & S_IFMT) == 0) /* a pidfd */
        status->st_ino += (ino_t)larger;
    return error;
}

int fstat64(int fd, struct stat *status)
{
    return fstat(fd, status);
}

static int is_of(int directory)
{
    char wanted[32], link[32], target[32] = "";

    snprintf(wanted, sizeof wanted, "/proc/%d", of);
    snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
    return readlink(link, target, sizeof target - 1) > 0 && strcmp(target, wanted) == 0;
}

static int open_at(int directory, const char *path, int flags, int mode)
{
    char statm[32];

    if (missing > 0 && strcmp(path, "stat") == 0 && is_of(directory)) {
        missing--;
        errno = ESRCH;
        return -1;
    }
    snprintf(statm, sizeof statm, "/proc/%d/statm", of);
    if (another == 1 && strcmp(path, statm) == 0) {
        another = 2;
        path = "/proc/self/statm";
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

/* What openat() without a mode becomes with _FORTIFY_SOURCE, which Ubuntu's gcc defines. */
int __openat_2(int directory, const char *path, int flags)
{
    return open_at(directory, path, flags, 0);
}

int __openat64_2(int directory, const char *path, int flags)
{
    return open_at(directory, path, flags, 0);
}
