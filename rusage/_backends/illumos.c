/* illumos and Solaris, where RUSAGE_THREAD is named RUSAGE_LWP. */

#define RUSAGE_WAIT4 rusage_wait4_here
#include "../_c/unix.c"

#include <fcntl.h>
#include <procfs.h>

RUSAGE_ASSERT(thread, RUSAGE_LWP == 1);

/* libc's wait4() takes a negative number for a process group, also -1, and 0 for any child, unlike
   waitpid() beside it in usr/src/lib/libc/port/gen/waitpid.c. */
static pid_t rusage_wait4_here(pid_t pid, int *status, int options, struct rusage *native)
{
    return wait4(pid == -1 ? 0 : pid == 0 ? -getpgrp() : pid, status, options, native);
}

/* proc(5): pr_rssize counts units of 1024 bytes. */
static int64_t rusage_rss(void)
{
    psinfo_t process;
    int fd = open("/proc/self/psinfo", O_RDONLY | O_CLOEXEC);
    ssize_t size;
    int error;

    if (fd < 0)
        return -errno;
    size = read(fd, &process, sizeof process);
    error = size < 0 ? errno : EINVAL;
    close(fd);
    return size == (ssize_t)sizeof process ? (int64_t)process.pr_rssize * 1024 : -error;
}
