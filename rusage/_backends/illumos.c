/* illumos and Solaris, where RUSAGE_THREAD is named RUSAGE_LWP. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"

RUSAGE_ASSERT(thread, RUSAGE_LWP == 1);
