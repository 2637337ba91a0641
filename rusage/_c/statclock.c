/* Included, not compiled: the rate of the statistics clock. sysconf(_SC_CLK_TCK) is a constant that may differ: on FreeBSD
   it is 128, while the statistics clock ticks at 127 Hz. */

#include "unix.h"

#include <sys/sysctl.h>

static int64_t rusage_statclock_hz(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate;
    size_t size = sizeof rate;

    if (sysctl(name, 2, &rate, &size, NULL, 0) != 0)
        return 0;
    return rate.stathz != 0 ? rate.stathz : rate.hz;
}
