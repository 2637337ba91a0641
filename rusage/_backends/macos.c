/* macOS and iOS. */

#include <mach/mach.h>
#include <pthread.h>

#include "../_c/unix.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"

enum { RUSAGE_THREAD_HERE = 1 };    /* as on other systems; macOS does not define it */

static int rusage_native(int who, struct rusage *native)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (who != RUSAGE_THREAD_HERE)
        return getrusage(who, native) != 0 ? errno : 0;
    /* Unlike mach_thread_self(), this adds no reference to the port that would have to be released. */
    /* cppcheck-suppress uninitvar; thread_info fills it */
    if (thread_info(pthread_mach_thread_np(pthread_self()), THREAD_BASIC_INFO, (thread_info_t)&info, &count)
        != KERN_SUCCESS)
        return ENOTSUP;
    memset(native, 0, sizeof *native);
    native->ru_utime.tv_sec = info.user_time.seconds;
    native->ru_utime.tv_usec = info.user_time.microseconds;
    native->ru_stime.tv_sec = info.system_time.seconds;
    native->ru_stime.tv_usec = info.system_time.microseconds;
    return 0;
}
