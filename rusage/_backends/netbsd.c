/* NetBSD. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"
