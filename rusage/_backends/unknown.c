/* A Unix without a file of its own. Not every one has wait4. */

#include "../_c/unix.c"
#include "../_c/no_statclock.c"

/* The Hurd's getrusage returns the errno, and Haiku's and Emscripten's have left fields as they were. */
static int rusage_native(int who, struct rusage *native)
{
    int result;

    memset(native, 0, sizeof *native);
    result = getrusage(who, native);
    return result < 0 ? errno : result;
}
