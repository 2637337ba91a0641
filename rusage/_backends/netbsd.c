/* NetBSD. */

#include "../_c/unix.c"

#include <sys/param.h>
#include <sys/sysctl.h>

#define RUSAGE_KERN_PROC KERN_PROC2
typedef struct kinfo_proc2 rusage_kinfo;

#include "../_c/kinfo2.c"

/* p_ustart_sec is the time of the start. */
static int rusage_start_epoch(int64_t *epoch)
{
    *epoch = 0;
    return 0;
}

static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

/* In sys/kern/kern_proc.c, fill_kproc2() sets p_uvalid of a process that is not a zombie, if it gets p_reflock: not during
   exec, nor while a posix_spawn(3) of the process is under way. p_realstat is the state in any case. */
static int rusage_state_in(const rusage_kinfo *process, int *state)
{
    enum { DYING = 3, ZOMBIE = 5, DEAD = 6 };   /* SDYING, SZOMB and SDEAD in sys/proc.h, for the kernel only */

    if (process->p_realstat == DYING || process->p_realstat == ZOMBIE || process->p_realstat == DEAD)
        *state = RUSAGE_ZOMBIE;
    else if (!process->p_uvalid)
        return EAGAIN;
    else
        *state = RUSAGE_LIVES;
    return 0;
}

/* fill_kproc2() adds up the faults and messages of all threads, including those that have ended. */
static void rusage_add_usage(const rusage_kinfo *process, rusage_figures *figures, struct rusage *native)
{
    figures->shares_memory = (process->p_flag & P_PPWAIT) != 0;
    native->ru_minflt = (long)process->p_uru_minflt;
    native->ru_majflt = (long)process->p_uru_majflt;
    native->ru_inblock = (long)process->p_uru_inblock;
    native->ru_oublock = (long)process->p_uru_oublock;
    native->ru_msgsnd = (long)process->p_uru_msgsnd;
    native->ru_msgrcv = (long)process->p_uru_msgrcv;
    native->ru_nsignals = (long)process->p_uru_nsignals;
}
