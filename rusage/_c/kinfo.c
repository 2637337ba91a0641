/* Process and the members of a tree on the BSDs and macOS, which list processes by sysctl(3). */

#include "by_pid.c"

#include <signal.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#ifdef RUSAGE_HAS_REAPER
#include <sys/procctl.h>
#endif

/* The number may be given to another process between the check and the signal. */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    int lives, error = rusage_member_lives(tree, member, &lives);

    if (error != 0 || !lives)
        return error != 0 ? error : RUSAGE_NO_PROCESS;
    return kill(member->pid, number) != 0 ? errno : 0;
}

#ifdef RUSAGE_HAS_STATCLOCK

/* The rate of the statistics clock. sysconf(_SC_CLK_TCK) is a constant that may differ: on FreeBSD
   it is 128, while the statistics clock ticks at 127 Hz. */
static int64_t rusage_statclock_hz(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate;
    size_t size = sizeof rate;

    if (sysctl(name, 2, &rate, &size, NULL, 0) != 0)
        return 0;
    return rate.stathz != 0 ? rate.stathz : rate.hz;
}

/* When the system was started, in microseconds. The kernel derives the start of a process from it,
   so setting the clock moves both. */
static int64_t rusage_epoch(void)
{
    int name[2] = {CTL_KERN, KERN_BOOTTIME};
    struct timeval boot = {0, 0};
    size_t size = sizeof boot;

    sysctl(name, 2, &boot, &size, NULL, 0);
    return rusage_microseconds(&boot);
}

#else

/* Setting the clock does not move the start of a process. */
static int64_t rusage_epoch(void)
{
    return 0;
}

#endif

#ifdef RUSAGE_START_AT_TICK

/* The microseconds between two ticks of the clock. */
static int64_t rusage_tick(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate = {0};
    size_t size = sizeof rate;

    return sysctl(name, 2, &rate, &size, NULL, 0) == 0 ? rate.tick : 0;
}

#else

static int64_t rusage_tick(void)
{
    return 0;
}

#endif

/* No process that starts after this call has an earlier start. */
static int rusage_tree_now(int64_t *now)
{
    struct timeval time = {0, 0};
    int64_t epoch;

    do {
        epoch = rusage_epoch();
        gettimeofday(&time, NULL);
    } while (epoch != rusage_epoch());
    *now = rusage_microseconds(&time) - epoch - rusage_tick();
    return 0;
}

/* Get the record of one process, and the epoch of its start; return RUSAGE_NO_PROCESS if there is
   none. */
static inline int rusage_sysctl_one(int *name, unsigned int names, void *record, size_t size,
                                    int64_t *epoch)
{
    size_t read;

    do { /* again, if the clock has been set meanwhile */
        *epoch = rusage_epoch();
        read = size;
        if (sysctl(name, names, record, &read, NULL, 0) != 0)
            return errno;
    } while (*epoch != rusage_epoch());
    if (read == 0)
        return RUSAGE_NO_PROCESS;
    return read == size ? 0 : EINVAL; /* the kernel uses another layout */
}

/* Get all records of a sysctl into the buffer; *count is their number. */
static int rusage_sysctl_all(rusage_tree_state *state, int *name, unsigned int names,
                             size_t element, int *count)
{
    size_t size = 0;
    int attempt, error = ENOMEM;

    *count = 0;
    for (attempt = 0; error == ENOMEM && attempt < 10; attempt++) {
        if (sysctl(name, names, NULL, &size, NULL, 0) != 0)
            return errno;
        size += size / 4 + 16 * element; /* some may start meanwhile */
        error = rusage_grow((void **)&state->buffer, (int)size, &state->capacity, 1);
        if (error != 0)
            return error;
        size = (size_t)state->capacity / element * element;
        error = sysctl(name, names, state->buffer, &size, NULL, 0) != 0 ? errno : 0;
    }
    *count = (int)(size / element);
    return error == 0 && size % element != 0 ? EINVAL : error; /* the kernel uses another layout */
}

/* List all processes; `pid` and `parent` are the places of these numbers in a record. */
static int rusage_list(rusage_tree *tree, int *name, unsigned int names, size_t element, size_t pid,
                       size_t parent)
{
    int i, count, error = rusage_sysctl_all(&tree->system, name, names, element, &count);

    for (i = 0; error == 0 && i < count; i++) {
        const char *record = tree->system.buffer + (size_t)i * element;

        error = rusage_tree_add_listed(tree, *(const int *)(const void *)(record + pid),
                                       *(const int *)(const void *)(record + parent));
    }
    return error;
}

#ifdef RUSAGE_HAS_REAPER

/* procctl(2). For a reaper, errno is EBUSY on FreeBSD and EALREADY on DragonFly BSD. */
static int rusage_become_reaper(void)
{
    int failed = procctl(P_PID, getpid(), PROC_REAP_ACQUIRE, NULL) != 0;

    return failed && errno != EBUSY && errno != EALREADY ? errno : 0;
}

#endif

#ifndef RUSAGE_HAS_RSS

static int64_t rusage_rss(void)
{
    const rusage_process self = {.pid = getpid()};

    return rusage_process_rss(&self, NULL);
}

#endif
