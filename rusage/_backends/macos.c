/* macOS. */

#define RUSAGE_GET_VALUES rusage_get_values_here
#define RUSAGE_HAS_RSS
#include "../_c/unix.c"
#include "../_c/kinfo.c"

#include <libproc.h>
#include <mach/mach.h>
#include <mach/mach_time.h>
#include <pthread.h>

enum { RUSAGE_THREAD_HERE = 1 };    /* as on other systems; macOS does not define it */

static int rusage_get_values_here(int who, rusage_values *values)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (who != RUSAGE_THREAD_HERE)
        return rusage_get_values(who, values);
    /* Unlike mach_thread_self(), this adds no reference to the port, so there is none to
       release. */
    /* cppcheck-suppress uninitvar; thread_info fills it */
    if (thread_info(pthread_mach_thread_np(pthread_self()), THREAD_BASIC_INFO, (thread_info_t)&info,
                    &count)
        != KERN_SUCCESS)
        return ENOTSUP;
    memset(values, 0, sizeof *values);
    values->utime = (int64_t)info.user_time.seconds * 1000000 + info.user_time.microseconds;
    values->stime = (int64_t)info.system_time.seconds * 1000000 + info.system_time.microseconds;
    return 0;
}

/* The ledger phys_mem of the task, whose largest balance is ru_maxrss; another process's
   ri_resident_size is the same. */
static int64_t rusage_rss(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;

    /* cppcheck-suppress uninitvar; task_info fills it */
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count)
        != KERN_SUCCESS)
        return -ENOTSUP;
    return (int64_t)info.resident_size;
}

/* Return how many Mach ticks a second has. To a program that Rosetta translates,
   mach_timebase_info() reports the ticks of an Intel processor, while the kernel counts its own. */
static int64_t rusage_tick_hz(void)
{
    mach_timebase_info_data_t base;
    int translated = 0;
    size_t size = sizeof translated;
    int64_t frequency = 0;

    if (sysctlbyname("sysctl.proc_translated", &translated, &size, NULL, 0) == 0 && translated) {
        size = sizeof frequency;
        if (sysctlbyname("hw.tbfrequency", &frequency, &size, NULL, 0) == 0 && frequency > 0)
            return frequency;
    }
    mach_timebase_info(&base);      /* a tick has numer / denom nanoseconds */
    return (int64_t)1000000000 * base.denom / base.numer;
}

/* proc_pid_rusage() and the sysctl kern.proc also find zombies; proc_pidinfo() does not. The
   sysctl, which also reports processes of other users, comes last, since it returns the start: if
   that identifies the process, all is its own. A process that ignores SIGCHLD has the times of its
   children twice in ri_child_user_time: reap_child_locked() and exit1() in bsd/kern/kern_exit.c add
   them. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid}, error, may_read;
    int64_t hz, epoch;
    struct kinfo_proc process;
    struct proc_taskinfo task;
    struct rusage_info_v2 info;
    rusage_values values = {0};

    errno = 0;
    if (call != NULL
        && proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &task, sizeof task) != (int)sizeof task)
        return errno != 0 ? errno : EINVAL;
    memset(&info, 0, sizeof info);
    may_read = proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&info) == 0;
    if (!may_read && errno != EPERM)
        return errno;
    error = rusage_sysctl_one(name, 4, &process, sizeof process, &epoch);
    if (error != 0)
        return error;
    if (process.kp_proc.p_pid != pid)
        return RUSAGE_NO_PROCESS;
    figures->parent = process.kp_eproc.e_ppid;
    figures->start = rusage_microseconds(&process.kp_proc.p_starttime) - epoch;
    figures->state = RUSAGE_UNREAD;
    if (process.kp_proc.p_stat == SZOMB || info.ri_proc_exit_abstime != 0)
        figures->state = RUSAGE_ZOMBIE;
    else if (may_read)
        figures->state = RUSAGE_LIVES;
    if (!may_read)
        return 0;
    rusage_set_name(figures, process.kp_proc.p_comm, sizeof process.kp_proc.p_comm);
    hz = rusage_tick_hz();
    figures->rss = (int64_t)info.ri_resident_size;
    figures->waited =
        rusage_quotient((int64_t)(info.ri_child_user_time + info.ri_child_system_time), hz);
    values.utime = (int64_t)info.ri_user_time;
    values.stime = (int64_t)info.ri_system_time;
    if (call != NULL) {
        values.majflt = task.pti_pageins > 0 ? task.pti_pageins : 0;
        values.minflt = task.pti_faults > values.majflt ? task.pti_faults - values.majflt : 0;
        values.inblock = (int64_t)(info.ri_diskio_bytesread >> 9);
        values.oublock = (int64_t)(info.ri_diskio_byteswritten >> 9);
    }
    rusage_set_usage(figures, &values, hz, call);
    return 0;
}

static int rusage_tree_list(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL};

    return rusage_list(tree, name, 3, sizeof(struct kinfo_proc),
                       offsetof(struct kinfo_proc, kp_proc.p_pid),
                       offsetof(struct kinfo_proc, kp_eproc.e_ppid));
}
