/* Included, not compiled: when the system was started. The kernel derives the start of a process from it, so setting the
   clock moves both. */

#include "unix.h"

#include <sys/sysctl.h>

/* In microseconds. */
static int rusage_boottime(int64_t *microseconds)
{
    int name[2] = {CTL_KERN, KERN_BOOTTIME};
    struct timeval boot;
    size_t size = sizeof boot;

    if (sysctl(name, 2, &boot, &size, NULL, 0) != 0)
        return errno;
    *microseconds = (int64_t)boot.tv_sec * 1000000 + boot.tv_usec;
    return 0;
}
