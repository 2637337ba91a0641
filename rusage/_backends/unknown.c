/* Unix systems without a file of their own. wait4 is omitted, since some lack it. */

#include "../_c/get.c"
#include "../_c/root_by_inode.c"
#include "../_c/no_statclock.c"

/* On the Hurd getrusage returns the errno; on Haiku and Emscripten it may leave fields unset. */
static int rusage_native(int who, struct rusage *native)
{
    int result;

    memset(native, 0, sizeof *native);
    result = getrusage(who, native);
    return result < 0 ? errno : result;
}
