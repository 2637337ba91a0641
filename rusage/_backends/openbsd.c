/* OpenBSD. */

#include "../_c/unix.c"

#include <sys/param.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

#define RUSAGE_HAS_STATCLOCK
#define RUSAGE_KERN_PROC KERN_PROC
typedef struct kinfo_proc rusage_kinfo;

/* vfork(2) copies the memory. */
#define RUSAGE_SHARES_MEMORY 0

/* p_ustart is the time of the start as counted from the boot, plus the time of the boot, both in nanoseconds: it is a
   microsecond larger at times. */

/* In sys/kern/kern_sysctl.c, fill_kproc() calls calctsru() for all threads; the other usage is of one thread, and is not
   measured. */
#include "../_c/kinfo2.c"

/* FILL_KPROC() in sys/sys/sysctl.h. */
static int rusage_state_in(const rusage_kinfo *process, int *state)
{
    if (process->p_uvalid)
        *state = RUSAGE_LIVES;
    else
        *state = RUSAGE_ZOMBIE;
    return 0;
}
