/* OpenBSD. */

#include "../_c/unix.c"

#include <sys/param.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

#define RUSAGE_HAS_STATCLOCK
#define RUSAGE_KERN_PROC KERN_PROC
typedef struct kinfo_proc rusage_kinfo;

#include "../_c/kinfo2.c"

/* p_ustart is the time of the start as counted from the boot, plus the time of the boot, both in nanoseconds: it is a
   microsecond larger at times. */
static int rusage_start_epoch(int64_t *epoch)
{
    return rusage_boottime(epoch);
}

static int64_t rusage_tree_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* FILL_KPROC() in sys/sys/sysctl.h. */
static int rusage_state_in(const rusage_kinfo *process, int *state)
{
    *state = process->p_uvalid ? RUSAGE_LIVES : RUSAGE_ZOMBIE;
    return 0;
}

/* In sys/kern/kern_sysctl.c, fill_kproc() calls calctsru() for all threads; the other fields describe one thread. vfork(2)
   copies the memory. */
static void rusage_add_usage(const rusage_kinfo *process, rusage_figures *figures, struct rusage *native)
{
    (void)process;
    (void)figures;
    (void)native;
}
