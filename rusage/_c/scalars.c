/* Single values instead of a record. */

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

/* `children` is NULL where there is no RUSAGE_CHILDREN. */
static int rusage_read(const rusage_call *own, const rusage_call *children, rusage_reading *reading)
{
    rusage_call copy = *own;
    int error = rusage_get(&copy);

    reading->cputime = copy.record.utime + copy.record.stime;
    reading->maxrss = copy.record.maxrss;
    reading->majflt = copy.record.majflt;
    if (error == 0 && children != NULL) {
        copy = *children;
        error = rusage_get(&copy);
        reading->children_cputime = copy.record.utime + copy.record.stime;
    }
    return error;
}
