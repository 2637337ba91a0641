/* Included, not compiled: convert struct rusage, or the values of Windows or macOS, to a record in uniform units. */

#include "rusage.h"

/* Assumptions of _rusage.cdef. */
#define RUSAGE_TIMEVAL(field) \
    RUSAGE_ASSERT(ru_##field, RUSAGE_SIZE(struct rusage, ru_##field) == sizeof(struct timeval));
#define RUSAGE_LONG(field) RUSAGE_ASSERT(ru_##field, RUSAGE_SIZE(struct rusage, ru_##field) == sizeof(long));
RUSAGE_FIELDS(RUSAGE_TIMEVAL, RUSAGE_LONG, RUSAGE_LONG, RUSAGE_LONG)
RUSAGE_ASSERT(long, sizeof(long) == 4 || sizeof(long) == 8);
RUSAGE_ASSERT(int, sizeof(int) == 4);

enum { RUSAGE_BOTH_HERE = -2 };     /* as in Linux's header; no system call accepts it */

/* A 32-bit counter that has wrapped is reported modulo 2^32, never as negative. */
static int64_t rusage_count(long value)
{
    uint64_t number = (unsigned long)value;

    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static int64_t rusage_bytes(long value, int64_t unit)
{
    int64_t number = rusage_count(value);

    return unit > 0 && number > INT64_MAX / unit ? INT64_MAX : number * unit;
}

/* ticks * bytes / hz, rounded down; whole seconds first, since the product may not fit. */
static int64_t rusage_integral(long ticks, const rusage_call *call)
{
    uint64_t number = (unsigned long)ticks, bytes, hz, sum;

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

static double rusage_seconds(int64_t microseconds)
{
    return rusage_quotient(microseconds, 1000000);
}

static void rusage_convert(const struct rusage *native, rusage_call *call)
{
    rusage_record *record = &call->record;

#define TIME(name) record->name = MEASURED(name, rusage_seconds(rusage_microseconds(&native->ru_##name)));
#define PEAK(name) record->name = MEASURED(name, rusage_bytes(native->ru_##name, call->maxrss_bytes));
#define INTEGRAL(name) record->name = MEASURED(name, rusage_integral(native->ru_##name, call));
#define COUNT(name) record->name = MEASURED(name, rusage_count(native->ru_##name));
    RUSAGE_FIELDS(TIME, PEAK, INTEGRAL, COUNT)
#undef TIME
#undef PEAK
#undef INTEGRAL
#undef COUNT
}

static double rusage_seconds_of_both(const struct timeval *self, const struct timeval *children)
{
    return rusage_seconds(rusage_sum(rusage_microseconds(self), rusage_microseconds(children)));
}

/* Counters and times are added. Peaks are not, since they need not have occurred at the same time. */
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call)
{
    rusage_call other = *call;
    rusage_record *record = &call->record;
    const rusage_record *more = &other.record;

    rusage_convert(self, call);
    rusage_convert(children, &other);

#define TIME(name) record->name = MEASURED(name, rusage_seconds_of_both(&self->ru_##name, &children->ru_##name));
#define PEAK(name)                 \
    if (record->name < more->name) \
        record->name = more->name;
#define SUM(name) record->name = rusage_sum(record->name, more->name);
    RUSAGE_FIELDS(TIME, PEAK, SUM, SUM)
#undef TIME
#undef PEAK
#undef SUM
}

/* Units of 100 ns; 2^53 of them are 28 years. */
static double rusage_filetime_seconds(uint32_t low, uint32_t high)
{
    uint64_t units = (uint64_t)high << 32 | low;

    return rusage_quotient(units > INT64_MAX ? INT64_MAX : (int64_t)units, 10000000);
}

static void rusage_convert_windows(const rusage_windows *native, rusage_call *call)
{
    rusage_record *record = &call->record;
    uint64_t peak = native->peak_working_set;

    memset(record, 0, sizeof *record);
    record->utime = MEASURED(utime, rusage_filetime_seconds(native->user_low, native->user_high));
    record->stime = MEASURED(stime, rusage_filetime_seconds(native->kernel_low, native->kernel_high));
    record->maxrss = MEASURED(maxrss, peak > INT64_MAX ? INT64_MAX : (int64_t)peak);
    record->minflt = MEASURED(minflt, (int64_t)native->page_faults);
}

/* Whole multiples of denom first, since the product may not fit. */
static double rusage_tick_seconds(uint64_t ticks, const rusage_macos *native)
{
    uint64_t whole, nanoseconds;

    if (native->numer == 0 || native->denom == 0)
        return 0;
    whole = ticks / native->denom;
    if (whole >= (uint64_t)INT64_MAX / native->numer)
        return rusage_quotient(INT64_MAX, 1000000000);
    nanoseconds = whole * native->numer + ticks % native->denom * native->numer / native->denom;
    return rusage_quotient((int64_t)nanoseconds, 1000000000);
}

static void rusage_convert_macos(const rusage_macos *native, rusage_call *call)
{
    rusage_record *record = &call->record;
    int64_t pageins = native->pageins > 0 ? native->pageins : 0;

    memset(record, 0, sizeof *record);
    record->utime = MEASURED(utime, rusage_tick_seconds(native->user, native));
    record->stime = MEASURED(stime, rusage_tick_seconds(native->system, native));
    record->minflt = MEASURED(minflt, native->faults > pageins ? native->faults - pageins : 0);
    record->majflt = MEASURED(majflt, pageins);
    record->inblock = MEASURED(inblock, (int64_t)(native->bytes_read >> 9));
    record->oublock = MEASURED(oublock, (int64_t)(native->bytes_written >> 9));
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
