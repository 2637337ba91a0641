/* Included, not compiled: what the sysctls of FreeBSD and OpenBSD report of the system's clocks. */

#include "unix.h"

#include <sys/sysctl.h>

#define RUSAGE_HAS_STATCLOCK

/* The rate of the statistics clock. sysconf(_SC_CLK_TCK) is a constant that may differ: on FreeBSD it is 128, while the
   statistics clock ticks at 127 Hz. */
static int64_t rusage_statclock_hz(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate;
    size_t size = sizeof rate;

    if (sysctl(name, 2, &rate, &size, NULL, 0) != 0)
        return 0;
    return rate.stathz != 0 ? rate.stathz : rate.hz;
}

/* When the system was started, in microseconds. The kernel derives the start of a process from it, so setting the clock
   moves both. */
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
