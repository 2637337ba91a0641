/* Included, not compiled: for systems whose integrals are not measured. */

#include "rusage.h"

static int64_t rusage_statclock_hz(void)
{
    return 0;
}
