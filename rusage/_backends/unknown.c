/* Unix systems without a file of their own. wait4 is omitted, since some lack it. */

#include "../_c/get.c"
#include "../_c/root_by_inode.c"
#include "../_c/no_statclock.c"

/* Some system's getrusage() may leave fields unset. */
static int rusage_native(int who, struct rusage *native)
{
    memset(native, 0, sizeof *native);
    return getrusage(who, native) != 0 ? errno : 0;
}
