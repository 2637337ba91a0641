/* In place of the headers and the kernel of illumos. */

#pragma once

#include "kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HAS_NO_PROCESS

typedef struct {
    size_t pr_size, pr_rssize;
} psinfo_t;

static inline int open_psinfo(const char *path, int flags)
{
    if (strcmp(path, "/proc/self/psinfo") != 0 || flags != (O_RDONLY | O_CLOEXEC))
        abort();
    errno = (int)kernel.failure;
    return kernel.failure ? -1 : dup(0);
}

static inline ssize_t read_psinfo(int fd, void *buffer, size_t size)
{
    psinfo_t record = {99999, (size_t)made.rss};

    if (fd < 0)
        abort();
    return copy_out(buffer, &size, &record, sizeof record) == 0 ? (ssize_t)size : -1;
}

/* As libc has it: which kind of wait it is. The group of this process is 7. */
static inline pid_t wait4_of_libc(pid_t pid, int *status, int options, struct rusage *native)
{
    *status = 3 << 8;
    memset(native, 0, sizeof *native);
    native->ru_minflt = 5;
    printf("%s %d\n", pid < 0 ? "group" : pid == 0 ? "any" : "process", pid < 0 ? -pid : pid);
    return 77;
}

#define getpgrp() 7
#define wait4 wait4_of_libc
#define open open_psinfo
#define read read_psinfo
