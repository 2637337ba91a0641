/* getrusage(2), wait4(2) and the root directory on Unix. */

#include "rusage.h"
#include "convert.c"

enum { RUSAGE_BOTH_HERE = -2 }; /* as in Linux's header; no system call accepts it */

/* A 32-bit counter that has wrapped is reported modulo 2^32, never as negative. */
static int64_t rusage_count(long value)
{
    uint64_t number = (unsigned long)value;

    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

/* Negative times become 0; times that do not fit (292 000 years) become INT64_MAX. */
static int64_t rusage_microseconds(const struct timeval *time)
{
    int64_t seconds = (int64_t)time->tv_sec, fraction = (int64_t)time->tv_usec;

    if (seconds < 0 || fraction < 0)
        return 0;
    if (seconds > INT64_MAX / 1000000)
        return INT64_MAX;
    return rusage_sum(seconds * 1000000, fraction);
}

static rusage_values rusage_values_of(const struct rusage *native)
{
    rusage_values values;

#define TIME(name) values.name = rusage_microseconds(&native->ru_##name);
#define COUNT(name) values.name = rusage_count(native->ru_##name);
    RUSAGE_FIELDS(TIME, COUNT, COUNT, COUNT)
#undef TIME
#undef COUNT
    return values;
}

static int rusage_get_values(int who, rusage_values *values)
{
    struct rusage native;

    memset(&native, 0, sizeof native); /* an unknown system may leave fields unset */
    if (getrusage(who, &native) != 0)
        return errno;
    *values = rusage_values_of(&native);
    return 0;
}

#ifndef RUSAGE_GET_VALUES
#define RUSAGE_GET_VALUES rusage_get_values
#endif
static int RUSAGE_GET_VALUES(int who, rusage_values *values);

static int rusage_get(rusage_call *call)
{
    int is_both = call->who == RUSAGE_BOTH_HERE, error;
    rusage_values values, children;

    error = RUSAGE_GET_VALUES(is_both ? RUSAGE_SELF : call->who, &values);
    if (error == 0 && is_both)
        error = RUSAGE_GET_VALUES(RUSAGE_CHILDREN, &children);
    if (error != 0)
        return error;
    if (is_both)
        rusage_convert_both(&values, &children, RUSAGE_MICROSECONDS, call);
    else
        rusage_convert_values(&values, RUSAGE_MICROSECONDS, call);
    return 0;
}

#ifndef RUSAGE_NO_WAIT4

#ifdef RUSAGE_WAIT4
static pid_t RUSAGE_WAIT4(pid_t pid, int *status, int options, struct rusage *native);
#else
#define RUSAGE_WAIT4 wait4
#endif

/* Return the process ID, 0 if no child is ready (all values are 0 then), or a negative errno. */
static int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call)
{
    struct rusage native;
    rusage_values values;
    pid_t child;
    int error;
    RUSAGE_RELEASE_GIL;

    memset(&native, 0, sizeof native);
    *status = 0;
    child = RUSAGE_WAIT4((pid_t)pid, status, options, &native);
    error = errno;
    RUSAGE_RETAKE_GIL;
    if (child < 0)
        return -(int64_t)error;
    values = rusage_values_of(&native);
    rusage_convert_values(&values, RUSAGE_MICROSECONDS, call);
    return child;
}

#endif

static inline int rusage_pause(void)
{
    const struct timespec pause = {0, 1000000};

    RUSAGE_RELEASE_GIL;
    nanosleep(&pause, NULL);
    RUSAGE_RETAKE_GIL;
    return 1;
}

static inline int rusage_exchange(int *number, int expected, int value)
{
    return __atomic_compare_exchange_n(number, &expected, value, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

#include "forks.c"

static inline int rusage_generation(void)
{
    return rusage_forked + 1;
}

static void rusage_read_root(rusage_root *root);

#ifndef RUSAGE_HAS_ROOT
static void rusage_read_root(rusage_root *root)
{
    struct stat status;

    memset(root, 0, sizeof *root);
    if (stat("/", &status) == 0) {
        root->device = (uint64_t)status.st_dev;
        root->inode = (uint64_t)status.st_ino;
    }
}
#endif

__attribute__((constructor)) static void rusage_record_root(void)
{
    rusage_read_root(&rusage_first_root);
}

/* Return whether the calling thread has another root directory, or one that cannot be identified
   any more. */
static int rusage_root_changed(void)
{
    rusage_root now;

    rusage_read_root(&now);
    return memcmp(&now, &rusage_first_root, sizeof now) != 0;
}
