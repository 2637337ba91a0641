/* The C of blocks with a made-up /proc, as a library for test_memory.py. */

#define _GNU_SOURCE

#include <pthread.h>

#include "rusage/_c/unix.c"
#include "rusage/_backends/linux/members.h"

int64_t made_mark, made_resident; /* KiB, pages */
unsigned long made_meanwhile; /* another thread raises a value to it, after the next look at it */
int made_locked; /* whether other threads' blocks wait during a reset */
extern pthread_mutex_t rusage_blocks_lock;

static int made_number(int directory, const char *path, const char *start, int64_t *number)
{
    *number = made_mark;
    return 0;
}

static int made_statm(int directory, const char *path, int64_t *pages)
{
    *pages = made_resident;
    return 0;
}

static unsigned long made_load(unsigned long *place)
{
    unsigned long value = *place;

    if (made_meanwhile > value)
        *place = made_meanwhile;
    made_meanwhile = 0;
    return value;
}

static ssize_t made_write(void)
{
    made_locked = pthread_mutex_trylock(&rusage_blocks_lock) != 0;
    if (!made_locked)
        pthread_mutex_unlock(&rusage_blocks_lock);
    return 1;
}

#define rusage_read_number made_number
#define rusage_read_statm made_statm
#define write(fd, bytes, count) made_write()
#define open(path, flags) (open)("/dev/null", flags)
#define __atomic_load_n(place, order) made_load(place)
#define static
#include "rusage/_backends/linux/memory.c"
