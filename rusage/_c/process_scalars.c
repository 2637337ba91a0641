/* Included, not compiled: a single value of another process instead of a record. */

#include "process.h"

static int64_t rusage_process_maxrss(const rusage_process *process, const rusage_call *call)
{
    rusage_call copy = *call;
    int error = rusage_process_get(process, &copy);

    return error != 0 ? -(int64_t)error : copy.record.maxrss;
}

static double rusage_process_cputime(const rusage_process *process, const rusage_call *call)
{
    rusage_call copy = *call;
    int error = rusage_process_get(process, &copy);

    return error != 0 ? -error : copy.record.utime + copy.record.stime;
}
