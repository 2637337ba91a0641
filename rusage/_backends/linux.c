/* Linux. */

#define RUSAGE_ROOT_HERE
#include "../_c/unix.c"
#include "linux_root.c"
#include "linux_tree.c"
#include "linux_memory.c"

#include <signal.h>
#include <sys/prctl.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* Return whether a signal is ignored. PyPy's signal.getsignal() does not report inherited dispositions. */
static int rusage_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int rusage_become_reaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 ? errno : 0;
}
