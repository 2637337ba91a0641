/* Included, not compiled: convert the values of a kernel to a record in uniform units. */

#include "rusage.h"

/* Assumptions of _rusage.cdef. */
#define RUSAGE_TIMEVAL(field) \
    RUSAGE_ASSERT(ru_##field, RUSAGE_SIZE(struct rusage, ru_##field) == sizeof(struct timeval));
#define RUSAGE_LONG(field) RUSAGE_ASSERT(ru_##field, RUSAGE_SIZE(struct rusage, ru_##field) == sizeof(long));
RUSAGE_FIELDS(RUSAGE_TIMEVAL, RUSAGE_LONG, RUSAGE_LONG, RUSAGE_LONG)
RUSAGE_ASSERT(long, sizeof(long) == 4 || sizeof(long) == 8);
RUSAGE_ASSERT(int, sizeof(int) == 4);

enum {
    RUSAGE_BOTH_HERE = -2,          /* as in Linux's header; no system call accepts it */
    RUSAGE_MICROSECONDS = 1000000   /* in a second */
};

/* A 32-bit counter that has wrapped is reported modulo 2^32, never as negative. */
static int64_t rusage_count(long value)
{
    uint64_t number = (unsigned long)value;

    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static int64_t rusage_bytes(int64_t number, int64_t unit)
{
    return unit > 0 && number > INT64_MAX / unit ? INT64_MAX : number * unit;
}

/* ticks * bytes / hz, rounded down; whole seconds first, since the product may not fit. */
static int64_t rusage_integral(int64_t ticks, const rusage_call *call)
{
    uint64_t number = (uint64_t)ticks, bytes, hz, sum;

    if (call->integral_bytes <= 0 || call->integral_hz <= 0)    /* no unit, or the clock's rate is unknown */
        return 0;
    bytes = (uint64_t)call->integral_bytes;
    hz = (uint64_t)call->integral_hz;
    if (number / hz > (uint64_t)INT64_MAX / bytes)
        return INT64_MAX;
    sum = number / hz * bytes + number % hz * bytes / hz;
    return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

/* Saturating sum of two non-negative numbers. */
static int64_t rusage_sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
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

#if defined __i386__ && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1
#error "the x87 rounds each quotient twice: compile with -msse2 -mfpmath=sse"
#endif

/* Dividing two exact doubles (2^53 us are 285 years) rounds correctly; sec + usec * 1e-6 does not. */
static double rusage_quotient(int64_t number, int64_t divisor)
{
    return (double)number / (double)divisor;
}

/* Convert what a kernel reports; times count units of 1 / hz seconds. */
static void rusage_convert_values(const rusage_values *values, int64_t hz, rusage_call *call)
{
    rusage_record *record = &call->record;

#define TIME(name) record->name = MEASURED(name, rusage_quotient(values->name, hz));
#define PEAK(name) record->name = MEASURED(name, rusage_bytes(values->name, call->maxrss_bytes));
#define INTEGRAL(name) record->name = MEASURED(name, rusage_integral(values->name, call));
#define COUNT(name) record->name = MEASURED(name, values->name);
    RUSAGE_FIELDS(TIME, PEAK, INTEGRAL, COUNT)
#undef TIME
#undef PEAK
#undef INTEGRAL
#undef COUNT
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

static void rusage_convert(const struct rusage *native, rusage_call *call)
{
    rusage_values values = rusage_values_of(native);

    rusage_convert_values(&values, RUSAGE_MICROSECONDS, call);
}

/* Counters and times are added. Peaks are not, since they need not have occurred at the same time. */
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call)
{
    rusage_values values = rusage_values_of(self), more = rusage_values_of(children);

#define SUM(name) values.name = rusage_sum(values.name, more.name);
#define PEAK(name)               \
    if (values.name < more.name) \
        values.name = more.name;
    RUSAGE_FIELDS(SUM, PEAK, SUM, SUM)
#undef SUM
#undef PEAK
    rusage_convert_values(&values, RUSAGE_MICROSECONDS, call);
}

/* Single values instead of a record. */
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
