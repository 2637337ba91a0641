/* wait4(2). */

#include "unix.h"

/* Return the process ID, 0 if no child is ready (all values are 0 then), or a negative errno. */
static int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call)
{
    struct rusage native;
    pid_t child;
    int error;
    RUSAGE_RELEASE_GIL;

    memset(&native, 0, sizeof native);
    *status = 0;
    child = wait4((pid_t)pid, status, options, &native);
    error = errno;
    RUSAGE_RETAKE_GIL;
    if (child < 0)
        return -(int64_t)error;
    rusage_convert(&native, call);
    return child;
}
