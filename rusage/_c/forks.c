/* What Python must know of forks. os.register_at_fork() calls these functions: they are of C, since
   an exception that a signal handler raises in an at-fork function of Python is lost. */

#include "rusage.h"

/* In unix.c. */
static int rusage_pause(void);

/* --- In a forked child --- */

/* The number of forks of this process and its ancestors since the import. */
static int rusage_forked;

#ifdef RUSAGE_HAS_PEAK
static void rusage_forget_peaks(void);
#endif

/* What becomes of each variable of C in the child, whichever modules are imported:
   - rusage_forked counts this fork;
   - the marks and peaks of linux/memory.c are the parent's, and are forgotten;
   - rusage_channels of parent.c are closed by start.py, which opens them;
   - rusage_noted_files of linux/proc.h are closed by pthread_atfork(), once there was a Tree;
   - the counters of imports below keep this thread's;
   - rusage_first_root stays: the child has the same root directory.
   A Tree, a Process and a block know by rusage_forked that they are copies. */
static void rusage_after_fork(void)
{
    rusage_forked++;
#ifdef RUSAGE_HAS_PEAK
    rusage_forget_peaks();
#endif
}

static int rusage_forks(void)
{
    return rusage_forked;
}

/* --- Imports: a fork waits until no other thread imports a module of this package --- */

enum { RUSAGE_PATIENCE = 1000 }; /* of about 1 ms */

static int rusage_importing, rusage_forking; /* how many imports and forks are in progress ... */
static __thread int rusage_importing_here, rusage_forking_here; /* ... and in this thread */

static int rusage_in_progress(const int *number)
{
    return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static void rusage_add(int *number, int *number_here, int change)
{
    *number_here += change;
    __atomic_add_fetch(number, change, __ATOMIC_SEQ_CST);
}

/* A child would wait for ever for a module that another thread of its parent was importing. The
   limit: that thread may wait for a lock that this one holds, as a fork takes logging's. */
static void rusage_before_fork(void)
{
    int i;

    rusage_add(&rusage_forking, &rusage_forking_here, 1);
    for (i = 0; i < RUSAGE_PATIENCE; i++) {
        if (rusage_in_progress(&rusage_importing) <= rusage_importing_here)
            break;
        rusage_pause();
    }
}

static void rusage_after_fork_in_parent(void)
{
    rusage_add(&rusage_forking, &rusage_forking_here, -1);
}

/* The child has this thread only. */
static void rusage_after_fork_in_child(void)
{
    rusage_forking = rusage_forking_here = 0;
    rusage_importing = rusage_importing_here;
}

/* Return how many imports this thread has begun: more than one if a signal handler interrupts. */
static int rusage_imports(void)
{
    return rusage_importing_here;
}

/* Begin an import, when no other thread is forking. */
static void rusage_begin_import(void)
{
    int i;

    rusage_add(&rusage_importing, &rusage_importing_here, 1);
    for (i = 0; i < RUSAGE_PATIENCE; i++) {
        if (rusage_in_progress(&rusage_forking) <= rusage_forking_here)
            break;
        rusage_add(&rusage_importing, &rusage_importing_here, -1);
        rusage_pause();
        rusage_add(&rusage_importing, &rusage_importing_here, 1);
    }
}

/* End those that this thread has begun after the first ones. */
static void rusage_end_imports(int first)
{
    rusage_add(&rusage_importing, &rusage_importing_here, first - rusage_importing_here);
}
