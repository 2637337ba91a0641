/* Included, not compiled: rusage_get and rusage_pagesize for Unix. */

#include "unix.h"
#include "convert.c"
#include "scalars.c"
#include "root.c"

static int rusage_get(rusage_call *call)
{
    struct rusage native, children;
    int error;

    if (call->who != RUSAGE_BOTH_HERE) {
        error = rusage_native(call->who, &native);
        if (error == 0)
            rusage_convert(&native, call);
        return error;
    }
    error = rusage_native(RUSAGE_SELF, &native);
    if (error == 0)
        error = rusage_native(RUSAGE_CHILDREN, &children);
    if (error == 0)
        rusage_convert_both(&native, &children, call);
    return error;
}

static int64_t rusage_pagesize(void)
{
    return sysconf(_SC_PAGESIZE);
}
