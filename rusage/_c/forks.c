/* What Python must know of forks. os.register_at_fork() calls rusage_after_fork: it is of C, since
   an exception that a signal handler raises in an at-fork function of Python is lost. */

#include "rusage.h"

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
