/* Linux: the memory of this process.

   The kernel keeps one high-water mark for a process. To measure the peak of a block, the mark has
   to be reset, and the reset lowers it for all others: a block that began earlier, around this one
   or in another thread, would lose the peak that it has had so far. So the mark is read before each
   reset, and kept for these blocks. If two threads read first and reset then, the second reset
   would lose what the process has used in between; so a lock covers both. ru_maxrss is no
   replacement for the mark: it may be the peak of the process that started this one.

   The kernel lowers the mark too: when it splits a huge page of a mapped file, it subtracts the
   page and does not raise the mark before (__split_huge_pmd_locked() in mm/huge_memory.c). So what
   has been read of this process counts for peak() and for the blocks that are open. */

#include "members.h"

#include <pthread.h>

static int64_t rusage_read_rss(void)
{
    int64_t pages = 0;
    int error = rusage_read_statm(AT_FDCWD, "/proc/self/statm", &pages);

    /* The first thread has ended and has no memory. */
    if (error == 0 && pages == 0)
        error = rusage_read_statm(AT_FDCWD, "/proc/thread-self/statm", &pages);
    return error != 0 ? -error : pages * sysconf(_SC_PAGESIZE);
}

/* Return the proportional set size in bytes, or a negative errno. */
static int64_t rusage_pss(void)
{
    int64_t size = 0;               /* KiB */
    int error;
    RUSAGE_RELEASE_GIL;

    error = rusage_read_number(AT_FDCWD, "/proc/thread-self/smaps_rollup", "\nPss:", &size);
    RUSAGE_RETAKE_GIL;
    return error != 0 ? -error : size * 1024;
}

/* --- The peak of this program and of blocks: Python runs no signal handler meanwhile --- */

/* Return VmHWM, the high-water mark, in bytes, or a negative errno. It is not less than the
   resident set size. */
static int64_t rusage_mark(void)
{
    int64_t size = 0;               /* KiB */
    int error = rusage_read_number(AT_FDCWD, "/proc/self/status", "\nVmHWM:", &size);

    if (error == ENODATA)           /* as above */
        error = rusage_read_number(AT_FDCWD, "/proc/thread-self/status", "\nVmHWM:", &size);
    return error != 0 ? -error : size * 1024;
}

/* In KiB, of marks and sizes, and of ru_maxrss; read before each reset too. Longs: some 32-bit
   processors have no atomic operations on 64 bits. */
static unsigned long rusage_highest_mark, rusage_highest_maxrss;

/* Raise one of them; return it in bytes. */
static int64_t rusage_raise_highest(unsigned long *highest, int64_t bytes)
{
    unsigned long size = (unsigned long)(bytes / 1024);
    unsigned long now = __atomic_load_n(highest, __ATOMIC_SEQ_CST);

    while (size > now) {            /* a failed exchange sets `now` */
        if (__atomic_compare_exchange_n(highest, &now, size, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            now = size;
    }
    return (int64_t)now * 1024;
}

/* Return the largest known ru_maxrss, in bytes, or a negative errno. */
static int64_t rusage_known_peak(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return -errno;
    return rusage_raise_highest(&rusage_highest_maxrss, (int64_t)usage.ru_maxrss * 1024);
}

/* A stack of decreasing sizes. Each reset pushes the mark before it and the resident set size after
   it, with the number of the reset, which is even; what is read until the next one is pushed with
   the odd number that follows. Entries that are not larger are dropped. The peak of a block is the
   largest of the present mark and of what was pushed after the block's own reset. */
static struct {
    int64_t reset, size;
} *rusage_marks;
static int rusage_marks_count, rusage_marks_capacity;
static int64_t rusage_resets;       /* the number of the last one */

/* Excludes other threads: a reset releases the GIL. */
static pthread_mutex_t rusage_blocks_lock = PTHREAD_MUTEX_INITIALIZER;

/* Not with the GIL, which a thread with the lock may wait for. */
static void rusage_lock_blocks(void)
{
    if (pthread_mutex_trylock(&rusage_blocks_lock) != 0) {
        RUSAGE_RELEASE_GIL;
        pthread_mutex_lock(&rusage_blocks_lock);
        RUSAGE_RETAKE_GIL;
    }
}

/* Push a mark or size, which may be a negative errno. */
static int rusage_push_mark(int64_t number, int64_t size)
{
    int count = rusage_marks_count, error;

    if (size < 0)
        return (int)-size;
    rusage_raise_highest(&rusage_highest_mark, size);
    while (count > 0 && rusage_marks[count - 1].size <= size)
        count--;
    if (count > 0 && rusage_marks[count - 1].reset == number) /* for the same blocks */
        return 0;
    error =
        rusage_grow((void **)&rusage_marks, count, &rusage_marks_capacity, sizeof *rusage_marks);
    if (error == 0) {
        rusage_marks[count].reset = number;
        rusage_marks[count].size = size;
        rusage_marks_count = count + 1;
    }
    return error;
}

/* Count a size that was read of this process, in bytes, unless it is a negative errno. */
static int64_t rusage_note_size(int64_t size)
{
    if (size <= 0)
        return size;
    rusage_raise_highest(&rusage_highest_mark, size);
    rusage_lock_blocks();
    if (rusage_resets > 0) /* of blocks; if the stack cannot grow, the size does not count */
        rusage_push_mark(rusage_resets + 1, size);
    pthread_mutex_unlock(&rusage_blocks_lock);
    return size;
}

static int64_t rusage_rss(void)
{
    return rusage_note_size(rusage_read_rss());
}

/* Return the peak of the program that this process executes, in bytes, or a negative errno. */
static int64_t rusage_peak(void)
{
    int64_t mark = rusage_note_size(rusage_mark());

    return mark < 0 ? mark : rusage_raise_highest(&rusage_highest_mark, mark);
}

/* Return the largest entry that was pushed after a reset, the deepest one; 0 if there is none. */
static int64_t rusage_largest_since(int64_t reset)
{
    int64_t size = 0;
    int i;

    for (i = rusage_marks_count - 1; i >= 0 && rusage_marks[i].reset > reset; i--)
        size = rusage_marks[i].size;
    return size;
}

/* The descriptor, during a reset: a child that is forked then closes its copy. */
static int rusage_clear_refs = -1;

/* With the GIL, so that no thread forks between the two steps. */
static void rusage_close_clear_refs(void)
{
    int fd = rusage_clear_refs;

    rusage_clear_refs = -1;
    if (fd >= 0)
        close(fd);
}

/* Begin a block: set the mark to the resident set size (man page: proc_pid_clear_refs, section 5;
   in kernels with CONFIG_PROC_PAGE_MONITOR, since 4.0). The write waits for the lock of the address
   space, which another thread may hold for long, for example in MADV_POPULATE_WRITE; the process
   may grow meanwhile. A peak between the reading of the mark and the reset is lost. */
static int rusage_block_begin_locked(rusage_block *block)
{
    int error;

    /* Of this thread: the first one may have ended, and its file belongs to root and resets
       nothing. */
    rusage_clear_refs = open("/proc/thread-self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (rusage_clear_refs < 0)
        return errno;
    rusage_known_peak();
    block->number = rusage_resets += 2;
    error = rusage_push_mark(block->number, rusage_mark());
    if (error == 0) {
        RUSAGE_RELEASE_GIL;
        if (write(rusage_clear_refs, "5", 1) != 1)
            error = errno;
        block->resident = block->peak = rusage_read_rss();
        RUSAGE_RETAKE_GIL;
    }
    rusage_close_clear_refs();
    return error != 0 ? error : rusage_push_mark(block->number, block->resident);
}

static int rusage_block_begin(rusage_block *block)
{
    int error;

    rusage_lock_blocks();
    error = rusage_block_begin_locked(block);
    pthread_mutex_unlock(&rusage_blocks_lock);
    return error;
}

/* Raise the peak of a block to the highest mark since its reset. */
static int rusage_block_update(rusage_block *block)
{
    int64_t mark = rusage_note_size(rusage_mark()), before;

    if (mark < 0)
        return (int)-mark;
    rusage_lock_blocks();
    before = rusage_largest_since(block->number);
    pthread_mutex_unlock(&rusage_blocks_lock);
    if (block->peak < mark)
        block->peak = mark;
    if (block->peak < before)
        block->peak = before;
    return 0;
}

/* In a forked child. Another thread of the parent may have been replacing the array. */
static void rusage_forget_peaks(void)
{
    pthread_mutex_init(&rusage_blocks_lock, NULL);
    rusage_highest_mark = rusage_highest_maxrss = 0;
    rusage_marks = NULL;
    rusage_marks_count = rusage_marks_capacity = 0;
    rusage_close_clear_refs(); /* of another thread, which the child does not have */
}
