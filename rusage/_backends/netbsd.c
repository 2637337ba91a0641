/* NetBSD. */

#define RUSAGE_START_AT_TICK /* getmicrotime() in fork1(): sys/kern/kern_fork.c */
#include "../_c/unix.c"

/* In sys/kern/kern_proc.c, fill_kproc2() adds up the faults and messages of all threads, including
   those that have ended. */
#include "../_c/kinfo2.c"

/* It sets p_uvalid of a process that is not a zombie, if it gets p_reflock: not during exec, nor
   while a posix_spawn(3) of the process is under way. p_realstat is the state in any case. */
static int rusage_state_in(const rusage_kinfo *process, int *state)
{
    enum {
        DYING = 3,
        ZOMBIE = 5,
        DEAD = 6
    };   /* SDYING, SZOMB and SDEAD in sys/proc.h, for the kernel only */

    if (process->p_realstat == DYING || process->p_realstat == ZOMBIE
        || process->p_realstat == DEAD)
        *state = RUSAGE_ZOMBIE;
    else if (!process->p_uvalid)
        return EAGAIN;
    else
        *state = RUSAGE_LIVES;
    return 0;
}
