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

/* The process that the kernel finds by any number but 5, which is the ID of a thread or of no process. */
static int64_t start_time = 1000;    /* microseconds from the boot, or Mach ticks */
static int64_t zombie;
static int64_t failure;         /* an errno for all calls */
static int64_t reply = 1 << 20;    /* the size of the reply is at most this */
static int64_t boot = 1000000000000000;     /* microseconds since 1970 */
static int64_t step;            /* how far the clock is set, once, after the next look at the boot time */
static int64_t layout;          /* the size of the structure that the kernel says it uses; 0: ours */
static int64_t rounding;        /* nanoseconds */
static int64_t translated, numer = 125, denom = 3, frequency = 24000000;
static int64_t ended_between;   /* it ended between two calls */
static int64_t clock_hz = 1000, clock_stathz = 127;
static int64_t exiting;         /* it has begun to exit, and is not a zombie yet */
static int64_t thread_count = 1;
static int64_t rss_units = 1234; /* pages, or what the system counts instead */

static int64_t parent_pid = 1, user_time = 1250000, waited_time, denied, vforked;
static int64_t clock_now;       /* microseconds from the boot */
static int64_t busy;            /* how many records of living processes are not complete */
static int64_t allocations = 1 << 30;   /* how many calls of realloc() succeed */
static int64_t figures_room = 256;  /* for the figures of members */
static int64_t crowded;         /* how often there are more processes than there is room for */
static int64_t churn;           /* in how many lists another process takes the place of the last one */

static const struct {
    const char *name;
    int64_t *value;
} variables[] = {
    {"now", &clock_now},
    {"start", &start_time},
    {"zombie", &zombie},
    {"failure", &failure},
    {"reply", &reply},
    {"boot", &boot},
    {"step", &step},
    {"layout", &layout},
    {"rounding", &rounding},
    {"translated", &translated},
    {"numer", &numer},
    {"denom", &denom},
    {"frequency", &frequency},
    {"ended", &ended_between},
    {"exiting", &exiting},
    {"hz", &clock_hz},
    {"stathz", &clock_stathz},
    {"threads", &thread_count},
    {"rss", &rss_units},
    {"busy", &busy},
    {"allocations", &allocations},
    {"room", &figures_room},
    {"churn", &churn},
    {"crowded", &crowded},
};

/* Several processes: each has its own numbers, and there is no other one. */
static struct {
    int pid;
    int64_t values[8];
} processes_made[256];
static int processes_count;
static int64_t *const own_values[8] = {&parent_pid, &start_time, &rss_units, &user_time,
                                      &waited_time, &zombie, &denied, &vforked};

/* Called before each look at a process: something may happen. */
static void happen(void);

/* Use the numbers of a process; return 0 if there is none. */
static inline int use(int pid)
{
    int i, k;

    happen();
    for (i = 0; i < processes_count; i++)
        if (processes_made[i].pid == pid) {
            for (k = 0; k < 8; k++)
                *own_values[k] = processes_made[i].values[k];
            return 1;
        }
    return processes_count == 0;
}

/* Copy the records of all processes as sysctl(3) does. */
static inline int copy_list(void *old, size_t *size, size_t element, void (*fill)(void *to, int pid))
{
    const size_t needed = (size_t)processes_count * element;
    size_t used = 0;
    int i, pid;

    if (failure || (old && (*size < needed || crowded-- > 0))) {
        errno = failure ? (int)failure : ENOMEM;
        return -1;
    }
    if (old && churn > 0) {
        churn--;
        processes_made[processes_count - 1].pid++;
    }
    for (i = 0; old && i < processes_count && used < needed; i++) {
        pid = processes_made[i].pid;
        if (!use(pid))
            continue;
        fill((char *)old + used, pid);
        used += element;
    }
    *size = old ? used : needed;
    return 0;
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
    time->tv_sec = clock_now / 1000000;
    time->tv_nsec = clock_now % 1000000 * 1000;
    return 0;
}

static inline int made_clock(struct timeval *time)
{
    *time = timeval_of(boot + clock_now);
    return 0;
}
#define clock_gettime(clock, time) made_monotonic_clock(time)
#define gettimeofday(time, zone) made_clock(time)

/* kern.boottime, which is the same in all of them. */
static inline int copy_boottime(void *old, size_t *size)
{
    struct timeval time = timeval_of(boot);

    if (*size != sizeof time)
        abort();
    memcpy(old, &time, sizeof time);
    boot += step;
    step = 0;
    return 0;
}

/* Copy a structure as sysctl(3) does. */
static inline int copy_out(void *old, size_t *size, const void *structure, size_t structure_size)
{
    if (*size != structure_size)
        abort();
    errno = (int)failure;
    if (failure)
        return -1;
    if (reply < (int64_t)*size)
        *size = (size_t)reply;
    memcpy(old, structure, *size);
    return 0;
}

/* procctl(2). */
enum { PROC_REAP_ACQUIRE = 2 };

static inline int procctl(int type, int pid, int command, void *data)
{
    (void)type;
    (void)pid;
    (void)data;
    return command == PROC_REAP_ACQUIRE ? 0 : -1;
}
