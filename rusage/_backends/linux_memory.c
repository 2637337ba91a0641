/* Linux: the memory of this process. */

#include "linux_proc.h"
#include "../_c/rss.h"

static int64_t rusage_rss(void)
{
    int64_t pages = 0;
    int error = rusage_read_statm(AT_FDCWD, "/proc/self/statm", &pages);

    /* The first thread has ended and has no memory. */
    if (error == 0 && pages == 0)
        error = rusage_read_statm(AT_FDCWD, "/proc/thread-self/statm", &pages);
    return error != 0 ? -error : pages * sysconf(_SC_PAGESIZE);
}

/* Get VmHWM, in bytes. */
static int rusage_read_own_status(int64_t *size)
{
    int error = rusage_read_status(AT_FDCWD, "/proc/self/status", rusage_sizes, 1, size);

    if (error == ENODATA)           /* as above */
        error = rusage_read_status(AT_FDCWD, "/proc/thread-self/status", rusage_sizes, 1, size);
    *size *= 1024;                  /* KiB */
    return error;
}

/* The largest VmHWM that has been read, in KiB. Every reading raises it before it is returned, and every reset before the
   mark falls, so no result of rusage_own_peak() is less than an earlier one. It needs no lock, which a forked child might
   inherit locked. A long: some 32-bit processors have no atomic operations on 64 bits. */
static unsigned long rusage_highest;

static int64_t rusage_raise_highest(int64_t bytes)
{
    unsigned long size = (unsigned long)(bytes / 1024), highest = __atomic_load_n(&rusage_highest, __ATOMIC_SEQ_CST);

    /* Again with a new `highest`, if another thread has raised it meanwhile. */
    while (size > highest
           && !__atomic_compare_exchange_n(&rusage_highest, &highest, size, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return (int64_t)(size > highest ? size : highest) * 1024;
}

/* Return the peak of the program that this process executes, in bytes, or a negative errno. */
static int64_t rusage_own_peak(void)
{
    int64_t size = 0;
    int error = rusage_read_own_status(&size);

    return error != 0 ? -error : rusage_raise_highest(size);
}

/* The high-water marks before our resets, each with the number of its reset, from the largest to the smallest. A mark that
   is not larger than a later one cannot be the peak of a block. Python calls the functions that use them with a lock. */
typedef struct {
    int64_t number, size;
} rusage_mark;
static rusage_mark *rusage_marks;
static size_t rusage_marks_count, rusage_marks_capacity;
static int64_t rusage_resets;       /* the number of the last one */
static int64_t rusage_least = INT64_MAX;    /* the least ru_maxrss so far, in bytes ... */
static int64_t rusage_folded;       /* ... and the largest at which rusage_highest was raised to the mark */

static int rusage_keep_mark(int64_t size)
{
    size_t capacity = rusage_marks_capacity * 2 + 16;
    void *larger;

    while (rusage_marks_count > 0 && rusage_marks[rusage_marks_count - 1].size <= size)
        rusage_marks_count--;
    if (rusage_marks_count == rusage_marks_capacity) {
        larger = realloc(rusage_marks, capacity * sizeof *rusage_marks);
        if (larger == NULL)
            return ENOMEM;
        rusage_marks = larger;
        rusage_marks_capacity = capacity;
    }
    rusage_marks[rusage_marks_count].number = ++rusage_resets;
    rusage_marks[rusage_marks_count++].size = size;
    return 0;
}

/* Return whether a value of ru_maxrss, which has just been read, is certain to be the high-water mark: ru_maxrss is the
   larger one of the mark and the peak that the process inherited at exec, which never changes. So if it was ever less than
   now, it is the mark. */
static int rusage_is_mark(int64_t maxrss)
{
    int is_mark = maxrss > rusage_least;

    if (maxrss < rusage_least)
        rusage_least = maxrss;
    return is_mark;
}

/* Get the resident set size and the high-water mark, in bytes, just after ru_maxrss has been read. The mark is VmHWM in
   /proc/self/status, but the kernel takes long to write that file, so the mark is taken from ru_maxrss if possible: also if
   ru_maxrss is the present size, which the mark is not less than. */
static int rusage_read_mark(int64_t maxrss, int64_t *resident, int64_t *mark)
{
    const int64_t same = 64 << 10;      /* a difference that does not count */
    int64_t size = 0;
    int is_mark, error;

    *resident = rusage_rss();
    if (*resident < 0)
        return (int)-*resident;
    /* More exact than ru_maxrss since Linux 6.16. */
    *mark = maxrss > *resident ? maxrss : *resident;
    is_mark = rusage_is_mark(maxrss) || *mark - *resident <= same;
    if (is_mark && maxrss <= rusage_folded)
        return 0;
    error = rusage_read_own_status(&size);
    if (error != 0)
        return error;
    rusage_raise_highest(size);
    if (maxrss > rusage_folded)
        rusage_folded = maxrss;
    *mark = size > *resident ? size : *resident;
    return 0;
}

/* Keep the high-water mark, then set it to the resident set size (man page: proc_pid_clear_refs, section 5; in kernels
   with CONFIG_PROC_PAGE_MONITOR, since 4.0). Get the figures just after this; the peak is the resident set size just
   before. A peak between the reading and the reset is lost: Python would have to acquire the GIL between them, which may
   take long. */
static int rusage_reset_peak(const rusage_call *own, const rusage_call *children, rusage_reading *reading)
{
    int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC), error;
    int64_t maxrss = rusage_maxrss(own), resident = 0, mark = 0;

    if (clear_refs < 0)
        return errno;
    error = maxrss < 0 ? (int)-maxrss : rusage_read_mark(maxrss, &resident, &mark);
    if (error == 0)
        error = rusage_keep_mark(mark);
    if (error == 0 && write(clear_refs, "5", 1) != 1)
        error = errno;
    close(clear_refs);
    if (error == 0)
        error = rusage_read(own, children, reading);
    if (error != 0)
        return error;
    rusage_is_mark(reading->maxrss);    /* it is as low now as it can be */
    reading->reset = rusage_resets;
    reading->peak = resident;
    return 0;
}

/* Get the figures so far, with the peak since the reset whose number is in `start`. */
static int rusage_read_since(const rusage_call *own, const rusage_call *children, const rusage_reading *start,
                             rusage_reading *reading)
{
    int64_t resident = 0;
    int error = rusage_read(own, children, reading);
    size_t i;

    /* A process grows by page faults, MAP_POPULATE included (apart from khugepaged, which fills up huge pages). Without
       one since the reset, the peak is the size at the reset. */
    reading->peak = start->peak;
    if (error == 0 && reading->minflt + reading->majflt != start->minflt + start->majflt)
        error = rusage_read_mark(reading->maxrss, &resident, &reading->peak);
    for (i = rusage_marks_count; i > 0 && rusage_marks[i - 1].number > start->reset; i--)
        if (rusage_marks[i - 1].size > reading->peak)
            reading->peak = rusage_marks[i - 1].size;
    return error;
}

/* In a forked child: its mark began at its resident set size. */
static void rusage_forget_peaks(void)
{
    __atomic_store_n(&rusage_highest, 0, __ATOMIC_SEQ_CST);
    /* Not freed: another thread may have been about to replace it. */
    rusage_marks = NULL;
    rusage_marks_count = rusage_marks_capacity = 0;
    rusage_least = INT64_MAX;
    rusage_folded = 0;
}
