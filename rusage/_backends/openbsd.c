/* OpenBSD. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/statclock.c"

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);
