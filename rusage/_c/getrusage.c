/* rusage_native, where getrusage(2) has every who but RUSAGE_BOTH. */

#include "unix.h"

static int rusage_native(int who, struct rusage *native)
{
    return getrusage(who, native) != 0 ? errno : 0;
}
