/* Print what rusage_read_pss() returns if a process has no file smaps_rollup: where no other one
   has it, as before Linux 4.14, and where others have it. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int others_have_it;

static int made_openat(const char *path)
{
    errno = strstr(path, "task") != NULL ? ESRCH : ENOENT;
    return -1;
}

static int made_access(void)
{
    errno = ENOENT;
    return others_have_it - 1;
}

#define openat(directory, path, flags) made_openat(path)
#define access(path, mode) made_access()
#include "rusage/_backends/linux/proc.h"
#include "rusage/_c/convert.c"

static int rusage_get(rusage_call *call)
{
    return ENOSYS;
}

int main(void)
{
    int64_t size = 0;

    for (; others_have_it < 2; others_have_it++)
        printf("%s\n", strerrorname_np(rusage_read_pss(3, &size)));
    return 0;
}
