/* Included, not compiled: wait4(2). */

#include "unix.h"

/* Defined otherwise where libc's wait4() interprets process IDs in another way. */
#ifndef RUSAGE_WAIT4
#define RUSAGE_WAIT4 wait4
#endif

/* Return the process ID, 0 if no child is ready (all values are 0 then), or a negative errno. */
static int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call)
{
    struct rusage native;
    pid_t child;
    int error;
    RUSAGE_RELEASE_GIL;

    memset(&native, 0, sizeof native);
    *status = 0;
    child = RUSAGE_WAIT4((pid_t)pid, status, options, &native);
    error = errno;
    RUSAGE_RETAKE_GIL;
    if (child < 0)
        return -(int64_t)error;
    rusage_convert(&native, call);
    return child;
}
