/* Included, not compiled: Process, and the members of a tree, on the BSDs and macOS, which list processes by sysctl(3). */

#include "rusage.h"

#include <signal.h>
#include <time.h>
#include <sys/sysctl.h>

#define RUSAGE_NO_PERMISSION EPERM
#define RUSAGE_NO_MEMORY ENOMEM
#define RUSAGE_TRY_AGAIN EAGAIN
#define RUSAGE_WAITED_ERROR 2e-6 /* two times, each cut to a microsecond */
enum { RUSAGE_PARENT_IDS_DANGLE = 0, RUSAGE_HAS_ZOMBIES = 1 };

#include "by_pid.c"

static int rusage_is_own(int pid)
{
    return pid == getpid();
}

static int rusage_pause(void)
{
    const struct timespec pause = {0, 1000000};

    RUSAGE_RELEASE_GIL;
    nanosleep(&pause, NULL);
    RUSAGE_RETAKE_GIL;
    return 1;
}

/* The number may be given to another process between the check and the signal. */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    if (!rusage_member_lives(tree, member))
        return RUSAGE_NO_PROCESS;
    return kill(member->pid, number) != 0 ? errno : 0;
}

/* Get the record of one process; return RUSAGE_NO_PROCESS if there is none. */
static inline int rusage_sysctl_one(int *name, unsigned int names, void *record, size_t size)
{
    size_t read = size;

    if (sysctl(name, names, record, &read, NULL, 0) != 0)
        return errno;
    if (read == 0)
        return RUSAGE_NO_PROCESS;
    return read == size ? 0 : EINVAL; /* the kernel uses another layout */
}

/* Get the records of processes, which are then in the buffer; *count is their number. Some systems want this in the name too:
   `limit` is its place there, or NULL. */
static int rusage_sysctl_list(rusage_tree *tree, int *name, unsigned int names, int *limit, size_t element, int *count)
{
    rusage_tree_state *state = &tree->system;
    size_t size = 0;
    int attempt, error = ENOMEM;

    for (attempt = 0; error == ENOMEM && attempt < 10; attempt++) {
        if (limit != NULL)
            *limit = 0;
        if (sysctl(name, names, NULL, &size, NULL, 0) != 0)
            return errno;
        size += size / 4 + 16 * element; /* some may start meanwhile */
        if (size > (size_t)state->capacity) {
            char *buffer = realloc(state->buffer, size);

            if (buffer == NULL)
                return ENOMEM;
            state->buffer = buffer;
            state->capacity = (int)size;
        }
        size = (size_t)state->capacity / element * element;
        if (limit != NULL)
            *limit = (int)(size / element);
        error = sysctl(name, names, state->buffer, &size, NULL, 0) != 0 ? errno : 0;
    }
    *count = (int)(size / element);
    return error;
}

#ifdef RUSAGE_HAS_STATCLOCK /* FreeBSD and OpenBSD */

/* The rate of the statistics clock. sysconf(_SC_CLK_TCK) is a constant that may differ: on FreeBSD it is 128, while the
   statistics clock ticks at 127 Hz. */
static int64_t rusage_statclock_hz(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate;
    size_t size = sizeof rate;

    if (sysctl(name, 2, &rate, &size, NULL, 0) != 0)
        return 0;
    return rate.stathz != 0 ? rate.stathz : rate.hz;
}

/* When the system was started, in microseconds. The kernel derives the start of a process from it, so setting the clock
   moves both. */
static int rusage_boottime(int64_t *microseconds)
{
    int name[2] = {CTL_KERN, KERN_BOOTTIME};
    struct timeval boot;
    size_t size = sizeof boot;

    if (sysctl(name, 2, &boot, &size, NULL, 0) != 0)
        return errno;
    *microseconds = (int64_t)boot.tv_sec * 1000000 + boot.tv_usec;
    return 0;
}

#endif

#ifndef RUSAGE_HAS_RSS

/* The resident set size of this process. */
static int64_t rusage_rss(void)
{
    rusage_figures figures;
    int error = rusage_process_read(getpid(), &figures, NULL);

    return error != 0 ? -(int64_t)error : figures.rss;
}

#endif
