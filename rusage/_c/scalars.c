/* Included, not compiled: single values instead of a record. */

#include "rusage.h"

static int64_t rusage_maxrss(const rusage_call *call)
{
    rusage_call copy = *call;
    int error = rusage_get(&copy);

    return error != 0 ? -(int64_t)error : copy.record.maxrss;
}

static double rusage_cputime(const rusage_call *call)
{
    rusage_call copy = *call;
    int error = rusage_get(&copy);

    return error != 0 ? -error : copy.record.utime + copy.record.stime;
}
