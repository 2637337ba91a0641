/* OpenBSD. */

#define RUSAGE_HAS_STATCLOCK
#include "../_c/unix.c"

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* p_ustart is the time of the start as counted from the boot, plus the time of the boot, both in
   nanoseconds: it is a microsecond larger at times. */

/* In sys/kern/kern_sysctl.c, fill_kproc() calls calctsru() for all threads; the other usage is of
   one thread, and is not measured. */
#include "../_c/kinfo2.c"

/* FILL_KPROC() in sys/sys/sysctl.h. */
static int rusage_state_in(const rusage_kinfo *process, int *state)
{
    *state = process->p_uvalid ? RUSAGE_LIVES : RUSAGE_ZOMBIE;
    return 0;
}
