#include "rusage.h"

/* What the cdef takes for granted, and Python's struct format of the record. */
#define RUSAGE_LONG(field) RUSAGE_ASSERT(field, RUSAGE_SIZE(struct rusage, field) == sizeof(long))

RUSAGE_LONG(ru_maxrss);
RUSAGE_LONG(ru_ixrss);
RUSAGE_LONG(ru_idrss);
RUSAGE_LONG(ru_isrss);
RUSAGE_LONG(ru_minflt);
RUSAGE_LONG(ru_majflt);
RUSAGE_LONG(ru_nswap);
RUSAGE_LONG(ru_inblock);
RUSAGE_LONG(ru_oublock);
RUSAGE_LONG(ru_msgsnd);
RUSAGE_LONG(ru_msgrcv);
RUSAGE_LONG(ru_nsignals);
RUSAGE_LONG(ru_nvcsw);
RUSAGE_LONG(ru_nivcsw);
RUSAGE_ASSERT(ru_utime, RUSAGE_SIZE(struct rusage, ru_utime) == sizeof(struct timeval));
RUSAGE_ASSERT(ru_stime, RUSAGE_SIZE(struct rusage, ru_stime) == sizeof(struct timeval));
RUSAGE_ASSERT(long, sizeof(long) == 4 || sizeof(long) == 8);
RUSAGE_ASSERT(int, sizeof(int) == 4);
RUSAGE_ASSERT(double, sizeof(double) == 8);
RUSAGE_ASSERT(first, offsetof(rusage_record, utime) == 0 && offsetof(rusage_record, maxrss) == 2 * 8);
RUSAGE_ASSERT(last, offsetof(rusage_record, nivcsw) == 15 * 8 && sizeof(rusage_record) == 16 * 8);

enum { RUSAGE_BOTH_HERE = -2 };     /* the number that Linux's own header has for it; its system call refuses it */

/* A 32-bit long that has wrapped once still holds its number modulo 2^32: it is never negative here. */
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

    if (call->integral_bytes <= 0 || call->integral_hz <= 0)    /* no unit, or a clock of unknown rate */
        return 0;
    bytes = (uint64_t)call->integral_bytes;
    hz = (uint64_t)call->integral_hz;
    if (number / hz > (uint64_t)INT64_MAX / bytes)
        return INT64_MAX;
    sum = number / hz * bytes + number % hz * bytes / hz;
    return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

/* The sum of two numbers that are not negative, or the largest number. */
static int64_t rusage_sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* No CPU time is negative, and one that does not fit (292 000 years) is the largest number. */
static int64_t rusage_microseconds(const struct timeval *time)
{
    int64_t seconds = (int64_t)time->tv_sec, fraction = (int64_t)time->tv_usec;

    if (seconds < 0 || fraction < 0)
        return 0;
    if (seconds > INT64_MAX / 1000000)
        return INT64_MAX;
    return rusage_sum(seconds * 1000000, fraction);
}

/* One division of two exact doubles (2^53 us are 285 years) is correctly rounded; sec + usec * 1e-6 is not. */
static double rusage_quotient(int64_t number, int64_t divisor)
{
#if defined FLT_EVAL_METHOD && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1
    /* But the x87 rounds twice, to 64 bits and then to a double's 53: one result in 5000 is the second nearest double.
       The remainder tells; it is less than the divisor, so that arithmetic modulo 2^64 has it exactly. */
    volatile double stored = (double)number / (double)divisor;
    double quotient = stored;
    uint64_t bits, fraction;
    int64_t remainder;
    int shift;

    if (number <= 0)
        return quotient;
    memcpy(&bits, &quotient, sizeof bits);
    fraction = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    shift = 1075 - (int)(bits >> 52);   /* quotient is fraction * 2^-shift */
    remainder = (int64_t)((shift < 64 ? (uint64_t)number << shift : 0) - fraction * (uint64_t)divisor);
    if (2 * remainder > divisor)
        bits++;
    else if (2 * remainder < -divisor)
        bits--;
    memcpy(&quotient, &bits, sizeof bits);
    return quotient;
#else
    return (double)number / (double)divisor;
#endif
}

static double rusage_seconds(int64_t microseconds)
{
    return rusage_quotient(microseconds, 1000000);
}

/* What is not measured is 0, whatever the kernel left in its place. */
#define MEASURED(field, value) (call->measured >> (field) & 1 ? (value) : 0)

static void rusage_convert(const struct rusage *native, rusage_call *call)
{
    rusage_record *record = &call->record;

    record->utime = MEASURED(0, rusage_seconds(rusage_microseconds(&native->ru_utime)));
    record->stime = MEASURED(1, rusage_seconds(rusage_microseconds(&native->ru_stime)));
    record->maxrss = MEASURED(2, rusage_bytes(native->ru_maxrss, call->maxrss_bytes));
    record->ixrss = MEASURED(3, rusage_integral(native->ru_ixrss, call));
    record->idrss = MEASURED(4, rusage_integral(native->ru_idrss, call));
    record->isrss = MEASURED(5, rusage_integral(native->ru_isrss, call));
    record->minflt = MEASURED(6, rusage_count(native->ru_minflt));
    record->majflt = MEASURED(7, rusage_count(native->ru_majflt));
    record->nswap = MEASURED(8, rusage_count(native->ru_nswap));
    record->inblock = MEASURED(9, rusage_count(native->ru_inblock));
    record->oublock = MEASURED(10, rusage_count(native->ru_oublock));
    record->msgsnd = MEASURED(11, rusage_count(native->ru_msgsnd));
    record->msgrcv = MEASURED(12, rusage_count(native->ru_msgrcv));
    record->nsignals = MEASURED(13, rusage_count(native->ru_nsignals));
    record->nvcsw = MEASURED(14, rusage_count(native->ru_nvcsw));
    record->nivcsw = MEASURED(15, rusage_count(native->ru_nivcsw));
}

/* Counters and times add. A peak does not: the two were not there at once, or need not have been. */
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call)
{
    rusage_call other = *call;
    rusage_record *record = &call->record;
    const rusage_record *more = &other.record;

    rusage_convert(self, call);
    rusage_convert(children, &other);
    record->utime = MEASURED(0, rusage_seconds(rusage_sum(rusage_microseconds(&self->ru_utime),
                                                         rusage_microseconds(&children->ru_utime))));
    record->stime = MEASURED(1, rusage_seconds(rusage_sum(rusage_microseconds(&self->ru_stime),
                                                         rusage_microseconds(&children->ru_stime))));
    if (record->maxrss < more->maxrss)
        record->maxrss = more->maxrss;
    record->ixrss = rusage_sum(record->ixrss, more->ixrss);
    record->idrss = rusage_sum(record->idrss, more->idrss);
    record->isrss = rusage_sum(record->isrss, more->isrss);
    record->minflt = rusage_sum(record->minflt, more->minflt);
    record->majflt = rusage_sum(record->majflt, more->majflt);
    record->nswap = rusage_sum(record->nswap, more->nswap);
    record->inblock = rusage_sum(record->inblock, more->inblock);
    record->oublock = rusage_sum(record->oublock, more->oublock);
    record->msgsnd = rusage_sum(record->msgsnd, more->msgsnd);
    record->msgrcv = rusage_sum(record->msgrcv, more->msgrcv);
    record->nsignals = rusage_sum(record->nsignals, more->nsignals);
    record->nvcsw = rusage_sum(record->nvcsw, more->nvcsw);
    record->nivcsw = rusage_sum(record->nivcsw, more->nivcsw);
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
    record->utime = MEASURED(0, rusage_filetime_seconds(native->user_low, native->user_high));
    record->stime = MEASURED(1, rusage_filetime_seconds(native->kernel_low, native->kernel_high));
    record->maxrss = MEASURED(2, peak > INT64_MAX ? INT64_MAX : (int64_t)peak);
    record->minflt = MEASURED(6, (int64_t)native->page_faults);
}
