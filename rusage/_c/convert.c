/* Convert the values of a kernel to a record in uniform units. */

#include "rusage.h"

static int64_t rusage_bytes(int64_t number, int64_t unit)
{
    return unit > 0 && number > INT64_MAX / unit ? INT64_MAX : number * unit;
}

/* ticks * bytes / hz, rounded down; whole seconds first, since the product may not fit. */
static int64_t rusage_integral(int64_t ticks, const rusage_call *call)
{
    uint64_t number = (uint64_t)ticks, bytes, hz, sum;

    /* no unit, or the clock's rate is unknown */
    if (call->integral_bytes <= 0 || call->integral_hz <= 0)
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

#if defined __i386__ && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1
#error "the x87 rounds each quotient twice: compile with -msse2 -mfpmath=sse"
#endif

/* Dividing two exact doubles (2^53 us are 285 years) rounds correctly; sec + usec * 1e-6 does
   not. */
static double rusage_quotient(int64_t number, int64_t divisor)
{
    return (double)number / (double)divisor;
}

/* Fields that are not measured are 0, regardless of the kernel's value. */
#define MEASURED(name, value) (call->measured >> RUSAGE_INDEX_##name & 1 ? (value) : 0)

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

/* Counters and times are added. Peaks are not, since they need not have occurred at the same
   time. */
static void rusage_convert_both(const rusage_values *self, const rusage_values *children,
                                int64_t hz, rusage_call *call)
{
    rusage_values sum = *self;

#define SUM(name) sum.name = rusage_sum(sum.name, children->name);
#define PEAK(name)                 \
    if (sum.name < children->name) \
        sum.name = children->name;
    RUSAGE_FIELDS(SUM, PEAK, SUM, SUM)
#undef SUM
#undef PEAK
    rusage_convert_values(&sum, hz, call);
}

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
