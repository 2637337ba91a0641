/* What the made-up kernels have in common: a process whose numbers main.c can set, or several. */

#pragma once

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int64_t pid, parent;
    int64_t start;              /* microseconds from the boot, or Mach ticks */
    int64_t rss;                /* pages, or what the system counts instead */
    int64_t time, waited;       /* user times of itself and of its children, in microseconds */
    int64_t zombie, denied, vforked;
} made_process;
enum { PROCESS_NUMBERS = sizeof(made_process) / sizeof(int64_t) };

/* The process that is looked at: the kernel finds it by any number but 5, which is the ID of a
   thread or of no process. If there are others, each has its own numbers, and there is no other
   one. */
static made_process made = {0, 1, 1000, 1234, 1250000, 0, 0, 0, 0};
static made_process processes[256];
static int processes_count;
static char made_name[64] = "made";

/* Other variables, and their values at the start. */
/* clang-format off */
#define VARIABLES(ENTRY) \
    ENTRY(now, 0)               /* microseconds from the boot */ \
    ENTRY(failure, 0)           /* an errno for all calls */ \
    ENTRY(reply, 1 << 20)       /* the size of the reply is at most this */ \
    ENTRY(boot, 1000000000000000) /* microseconds since 1970 */ \
    ENTRY(step, 0)              /* how far the clock is set once, after a look at the boot time */ \
    ENTRY(jump, 0)              /* the same, before a look at the clock */ \
    ENTRY(layout, 0)            /* the size of the kernel's structure; 0: ours */ \
    ENTRY(rounding, 0)          /* nanoseconds */ \
    ENTRY(translated, 0) ENTRY(numer, 125) ENTRY(denom, 3) /* macOS's */ \
    ENTRY(frequency, 24000000) \
    ENTRY(faults, 1000031) ENTRY(pageins, 32) /* macOS's */ \
    ENTRY(ended, 0)             /* it ended between two calls */ \
    ENTRY(exiting, 0)           /* it has begun to exit, and is not a zombie yet */ \
    ENTRY(hz, 1000) ENTRY(tick, 1000) ENTRY(stathz, 127) \
    ENTRY(threads, 1) \
    ENTRY(seconds, 1) ENTRY(fraction, 250000) ENTRY(counter, 39) /* for getrusage() */ \
    ENTRY(busy, 0)              /* how many records of living processes are not complete */ \
    ENTRY(allocations, 1 << 30) /* how many calls of realloc() and malloc() succeed */ \
    ENTRY(room, 256)            /* for the figures of members */ \
    ENTRY(crowded, 0)           /* how often there are more processes than there is room for */ \
    ENTRY(reaper, 0)            /* the errno for a process that is a reaper already */ \
    ENTRY(churn, 0)             /* in how many lists another process replaces the last one */ \
    ENTRY(taken, 0)             /* for how many children another thread waits first */
/* clang-format on */

#define MEMBER(name, value) int64_t name;
#define VALUE(name, value) value,
static struct {
    VARIABLES(MEMBER)
} kernel = {VARIABLES(VALUE)};

/* Called before each look at a process: something may happen. */
static void happen(void);

/* Look at a process; return 0 if there is none. */
static inline int use(int64_t pid)
{
    int i;

    happen();
    for (i = 0; i < processes_count; i++)
        if (processes[i].pid == pid) {
            made = processes[i];
            return 1;
        }
    return processes_count == 0;
}

/* Copy as much of the name as fits. */
static inline void copy_name(char *to, size_t size)
{
    const size_t length = strlen(made_name), fitting = length < size ? length : size - 1;

    memcpy(to, made_name, fitting);
    to[fitting] = '\0';
}

/* Return the number that the kernel reports for the one it was asked for. */
static inline int32_t pid_of(int pid)
{
    return pid == 5 ? 6 : pid;
}

/* Copy the records of all processes as sysctl(3) does. */
static inline int copy_list(void *old, size_t *size, size_t element,
                            void (*fill)(void *to, int pid))
{
    const size_t needed = (size_t)processes_count * element;
    size_t used = 0;
    int i, pid;

    if (kernel.failure || (old && (*size < needed || kernel.crowded-- > 0))) {
        errno = kernel.failure ? (int)kernel.failure : ENOMEM;
        return -1;
    }
    if (old && kernel.churn > 0) {
        kernel.churn--;
        processes[processes_count - 1].pid++;
    }
    for (i = 0; old && i < processes_count && used < needed; i++) {
        pid = (int)processes[i].pid;
        if (!use(pid))
            continue;
        fill((char *)old + used, pid);
        used += element;
    }
    *size = old ? used : needed;
    return 0;
}

/* Copy a structure as sysctl(3) does. */
static inline int copy_out(void *old, size_t *size, const void *structure, size_t structure_size)
{
    if (old == NULL || *size != structure_size)
        abort();
    errno = (int)kernel.failure;
    if (kernel.failure)
        return -1;
    if (kernel.reply < (int64_t)*size)
        *size = (size_t)kernel.reply;
    memcpy(old, structure, *size);
    return 0;
}

/* Copy the record of a process; nothing if there is none. */
static inline int copy_process(int pid, void *old, size_t *size, void *record, size_t record_size,
                               void (*fill)(void *to, int pid))
{
    if (!use(pid)) {
        *size = 0;
        return 0;
    }
    fill(record, pid);
    return copy_out(old, size, record, record_size);
}

static inline int made_kill(int pid, int number)
{
    printf("%d %d ", pid, number);
    errno = ESRCH;
    return use(pid) ? 0 : -1;
}
#define kill made_kill

static inline struct timeval timeval_of(int64_t microseconds)
{
    struct timeval time = {microseconds / 1000000, microseconds % 1000000};

    return time;
}

/* The two clocks that the C of these systems reads. */
static inline int made_monotonic_clock(struct timespec *time)
{
    time->tv_sec = kernel.now / 1000000;
    time->tv_nsec = kernel.now % 1000000 * 1000;
    return 0;
}

static inline int made_clock(struct timeval *time)
{
    kernel.boot += kernel.jump;
    kernel.jump = 0;
    *time = timeval_of(kernel.boot + kernel.now);
    return 0;
}
#define clock_gettime(clock, time) made_monotonic_clock(time)
#define gettimeofday(time, zone) made_clock(time)

/* kern.boottime, which is the same in all of them. */
static inline int copy_boottime(void *old, size_t *size)
{
    struct timeval time = timeval_of(kernel.boot);

    if (*size != sizeof time)
        abort();
    memcpy(old, &time, sizeof time);
    kernel.boot += kernel.step;
    kernel.step = 0;
    return 0;
}

/* kern.clockrate. */
struct clockinfo {
    int hz, tick, stathz;
};
static inline int copy_clockrate(void *old, size_t *size)
{
    struct clockinfo rate = {(int)kernel.hz, (int)kernel.tick, (int)kernel.stathz};

    return copy_out(old, size, &rate, sizeof rate);
}

#ifdef PROC_REAP_ACQUIRE

/* procctl(2). */
static inline int procctl(int type, int pid, int command, void *data)
{
    errno = command == PROC_REAP_ACQUIRE ? (int)kernel.reaper : EINVAL;
    return errno == 0 ? 0 : -1;
}

#endif
