/* macOS and iOS. */

#include <TargetConditionals.h>
#include <mach/mach.h>
#include <mach/mach_time.h>
#include <pthread.h>

#define RUSAGE_NATIVE_HERE
#include "../_c/unix.c"
#include "../_c/process_by_start.c"
#include "../_c/rss.h"

#include <sys/sysctl.h>

enum { RUSAGE_THREAD_HERE = 1 };    /* as on other systems; macOS does not define it */

static int rusage_native(int who, struct rusage *native)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (who != RUSAGE_THREAD_HERE)
        return getrusage(who, native) != 0 ? errno : 0;
    /* Unlike mach_thread_self(), this adds no reference to the port, so there is none to release. */
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

/* The ledger phys_mem of the task, whose largest balance is ru_maxrss; another process's ri_resident_size is the same. */
static int64_t rusage_rss(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;

    /* cppcheck-suppress uninitvar; task_info fills it */
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return -ENOTSUP;
    return (int64_t)info.resident_size;
}

#if TARGET_OS_OSX

#include <libproc.h>

/* Set the length of a Mach tick. To a program that Rosetta translates, mach_timebase_info() reports the ticks of an
   Intel processor, while the kernel counts its own. */
static void rusage_set_timebase(rusage_macos *native)
{
    mach_timebase_info_data_t base;
    int translated = 0;
    size_t size = sizeof translated;
    uint64_t frequency = 0;

    if (sysctlbyname("sysctl.proc_translated", &translated, &size, NULL, 0) == 0 && translated) {
        size = sizeof frequency;
        if (sysctlbyname("hw.tbfrequency", &frequency, &size, NULL, 0) == 0 && frequency > 0) {
            native->numer = 1000000000;
            native->denom = frequency;
            return;
        }
    }
    mach_timebase_info(&base);
    native->numer = base.numer;
    native->denom = base.denom;
}

/* proc_pid_rusage() also finds zombies; proc_pidinfo() does not. proc_pid_rusage() comes second, since it returns the start
   time: if that identifies the process, proc_pidinfo() has read the same process. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    struct proc_taskinfo task;
    struct rusage_info_v2 info;
    rusage_macos native;

    errno = 0;
    if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &task, sizeof task) != (int)sizeof task)
        return errno != 0 ? errno : EINVAL;
    if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&info) != 0)
        return errno;
    if (info.ri_proc_exit_abstime != 0)
        return RUSAGE_NO_PROCESS;
    *start = (int64_t)info.ri_proc_start_abstime;
    *rss = (int64_t)info.ri_resident_size;
    rusage_set_timebase(&native);
    native.user = info.ri_user_time;
    native.system = info.ri_system_time;
    native.faults = task.pti_faults;
    native.pageins = task.pti_pageins;
    native.bytes_read = info.ri_diskio_bytesread;
    native.bytes_written = info.ri_diskio_byteswritten;
    rusage_convert_macos(&native, call);
    return 0;
}

#else

/* The SDK of iOS has no libproc.h. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    (void)pid;
    (void)start;
    (void)rss;
    (void)call;
    return ENOTSUP;
}

#endif

#include "macos_tree.c"
