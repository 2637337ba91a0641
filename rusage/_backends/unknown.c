/* Unix systems without a file of their own. wait4 is omitted, since some lack it. */

#define RUSAGE_NO_WAIT4
#include "../_c/unix.c"
