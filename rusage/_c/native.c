/* Included, not compiled: rusage_native for systems whose getrusage(2) accepts every who except RUSAGE_BOTH. */

#include "unix.h"

static int rusage_native(int who, struct rusage *native)
{
    return getrusage(who, native) != 0 ? errno : 0;
}
