/* Linux: the memory of this process. */

#include "proc.h"

static int64_t rusage_rss(void)
{
    int64_t pages = 0;
    int error = rusage_read_statm(AT_FDCWD, "/proc/self/statm", &pages);

    /* The first thread has ended and has no memory. */
    if (error == 0 && pages == 0)
        error = rusage_read_statm(AT_FDCWD, "/proc/thread-self/statm", &pages);
    return error != 0 ? -error : pages * sysconf(_SC_PAGESIZE);
}

/* Get VmHWM, the high-water mark, in bytes. It is not less than the resident set size. */
static int rusage_read_mark(int64_t *size)
{
    int error = rusage_read_status(AT_FDCWD, "/proc/self/status", rusage_sizes, 1, size);

    if (error == ENODATA)           /* as above */
        error = rusage_read_status(AT_FDCWD, "/proc/thread-self/status", rusage_sizes, 1, size);
    *size *= 1024;                  /* KiB */
    return error;
}

/* The largest VmHWM that has been read, in KiB. Every reading raises it before it is returned, and every reset before the
   mark falls, so no result of rusage_own_peak() is less than an earlier one. The variable needs no lock, which a forked
   child might inherit locked. A long: some 32-bit processors have no atomic operations on 64 bits. */
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
    int error = rusage_read_mark(&size);

    return error != 0 ? -error : rusage_raise_highest(size);
}

/* The high-water marks before our resets, each with the number of its reset, from the largest to the smallest. A mark that
   is not larger than a later mark cannot be the peak of a block. Python holds a lock when it calls the functions that use
   the marks. */
typedef struct {
    int64_t number, size;
} rusage_mark;
static rusage_mark *rusage_marks;
static size_t rusage_marks_count, rusage_marks_capacity;
static int64_t rusage_resets;       /* the number of the last reset */
static int rusage_clear_refs = -1;  /* the descriptor, during a reset: a child that is forked then closes its copy */

/* Keep a mark for the blocks that began before the last reset. */
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
    rusage_marks[rusage_marks_count].number = rusage_resets;
    rusage_marks[rusage_marks_count++].size = size;
    rusage_raise_highest(size);
    return 0;
}

/* Set the mark to the resident set size, and get this size. The write waits for the lock of the address space, which
   another thread may hold for long, for example in MADV_POPULATE_WRITE; the process may grow meanwhile. */
static int rusage_lower_mark(int64_t *resident)
{
    int error = 0;
    RUSAGE_RELEASE_GIL;

    if (write(rusage_clear_refs, "5", 1) != 1)
        error = errno;
    *resident = rusage_rss();
    RUSAGE_RETAKE_GIL;
    if (error == 0 && *resident < 0)
        error = (int)-*resident;
    return error;
}

/* With the GIL, so that no thread forks between the two steps. */
static void rusage_close_clear_refs(void)
{
    int fd = rusage_clear_refs;

    rusage_clear_refs = -1;
    close(fd);
}

/* Start a block: keep the high-water mark for the open blocks, then reset it (man page: proc_pid_clear_refs, section 5; in
   kernels with CONFIG_PROC_PAGE_MONITOR, since 4.0). The resident set size after the reset also counts for the open
   blocks. A peak between the reading of the mark and the reset is lost. */
static int rusage_reset_peak(rusage_block *block)
{
    int64_t mark = 0;
    int error;

    /* Of this thread: the first one may have ended, and its file belongs to root and resets nothing. */
    rusage_clear_refs = open("/proc/thread-self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (rusage_clear_refs < 0)
        return errno;
    block->reset = ++rusage_resets;
    error = rusage_read_mark(&mark);
    if (error == 0)
        error = rusage_keep_mark(mark);
    if (error == 0)
        error = rusage_lower_mark(&block->resident);
    rusage_close_clear_refs();
    if (error == 0)
        error = rusage_keep_mark(block->resident);
    block->peak = block->resident;
    return error;
}

/* Raise the peak of a block to the highest mark since its start. */
static int rusage_update_peak(rusage_block *block)
{
    int64_t mark = 0;
    int error = rusage_read_mark(&mark);
    size_t i;

    if (error != 0)
        return error;
    rusage_raise_highest(mark);
    for (i = rusage_marks_count; i > 0 && rusage_marks[i - 1].number > block->reset; i--)
        if (rusage_marks[i - 1].size > mark)
            mark = rusage_marks[i - 1].size;
    if (mark > block->peak)
        block->peak = mark;
    return 0;
}

/* Called in a forked child, whose mark began at the resident set size of the child. */
static void rusage_forget_peaks(void)
{
    __atomic_store_n(&rusage_highest, 0, __ATOMIC_SEQ_CST);
    /* Not freed: another thread of the parent may have been replacing the array. */
    rusage_marks = NULL;
    rusage_marks_count = rusage_marks_capacity = 0;
    if (rusage_clear_refs >= 0)     /* a reset in another thread, which the child does not have */
        rusage_close_clear_refs();
}
