/* Included, not compiled: the resident set size of this process on systems that report it by process ID only. */

#include "process_by_start.c"
#include "rss.h"
#include "unix.h"

static int64_t rusage_rss(void)
{
    rusage_call call;
    int64_t start, rss;
    int error;

    memset(&call, 0, sizeof call);
    error = rusage_process_read(getpid(), &start, &rss, &call);
    return error != 0 ? -(int64_t)error : rss;
}
