/* One figure without a record. */

#include "rusage.h"

static int64_t rusage_maxrss(const rusage_call *call)
{
    rusage_call answer = *call;
    int error = rusage_get(&answer);

    return error != 0 ? -(int64_t)error : answer.record.maxrss;
}

static double rusage_cputime(const rusage_call *call)
{
    rusage_call answer = *call;
    int error = rusage_get(&answer);

    return error != 0 ? -error : answer.record.utime + answer.record.stime;
}
