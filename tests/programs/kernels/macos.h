/* In place of the headers and the kernel of macOS. */

#pragma once

#include "kernel.h"

typedef struct {
    int seconds, microseconds;
} time_value_t;
typedef struct {
    time_value_t user_time, system_time;
} thread_basic_info_data_t;
typedef void *thread_info_t;
typedef int mach_msg_type_number_t;
enum { THREAD_BASIC_INFO_COUNT = 4, THREAD_BASIC_INFO = 3, KERN_SUCCESS = 0, KERN_FAILURE = 5 };
#define pthread_mach_thread_np(thread) 0
#define pthread_self() 0
typedef struct {
    uint64_t resident_size;
} mach_task_basic_info_data_t;
typedef void *task_info_t;
enum { MACH_TASK_BASIC_INFO = 20, MACH_TASK_BASIC_INFO_COUNT = 2 };
#define mach_task_self() 0

enum { PROC_PIDTASKINFO = 4, RUSAGE_INFO_V2 = 2 };
enum { CTL_KERN = 1, KERN_PROC = 14, KERN_PROC_ALL = 0, KERN_PROC_PID = 1, SRUN = 2, SZOMB = 5 };

typedef struct {
    uint32_t numer, denom;
} mach_timebase_info_data_t;
typedef void *rusage_info_t;
struct proc_taskinfo {
    int32_t pti_faults, pti_pageins;
};
struct rusage_info_v2 {
    uint64_t ri_user_time, ri_system_time, ri_proc_start_abstime, ri_proc_exit_abstime,
        ri_diskio_bytesread, ri_diskio_byteswritten, ri_resident_size, ri_child_user_time,
        ri_child_system_time;
};

static inline int thread_info(int thread, int flavor, thread_info_t buffer,
                              mach_msg_type_number_t *count)
{
    const struct timeval user = timeval_of(made.time), system = timeval_of(500001);
    const thread_basic_info_data_t info = {{(int)user.tv_sec, (int)user.tv_usec},
                                           {(int)system.tv_sec, (int)system.tv_usec}};

    if (thread != pthread_mach_thread_np(pthread_self()) || flavor != THREAD_BASIC_INFO
        || *count != THREAD_BASIC_INFO_COUNT)
        abort();
    if (kernel.failure)
        return KERN_FAILURE;
    memcpy(buffer, &info, sizeof info);
    return KERN_SUCCESS;
}

static inline int task_info(int task, int flavor, task_info_t buffer, mach_msg_type_number_t *count)
{
    mach_task_basic_info_data_t info = {(uint64_t)made.rss};

    if (task != mach_task_self() || flavor != MACH_TASK_BASIC_INFO
        || *count != MACH_TASK_BASIC_INFO_COUNT)
        abort();
    if (kernel.failure)
        return KERN_FAILURE;
    memcpy(buffer, &info, sizeof info);
    return KERN_SUCCESS;
}

static inline int mach_timebase_info(mach_timebase_info_data_t *info)
{
    info->numer = (uint32_t)kernel.numer;
    info->denom = (uint32_t)kernel.denom;
    return 0;
}

static inline int sysctlbyname(const char *name, void *old, size_t *size, void *new,
                               size_t new_size)
{
    int flag = (int)kernel.translated;

    if (new || new_size)
        abort();
    if (strcmp(name, "sysctl.proc_translated") == 0) {
        if (kernel.translated < 0) {   /* an Intel processor's kernel does not have it */
            errno = ENOENT;
            return -1;
        }
        if (*size != sizeof flag)
            abort();
        memcpy(old, &flag, sizeof flag);
        return 0;
    }
    if (strcmp(name, "hw.tbfrequency") != 0 || *size != sizeof kernel.frequency)
        abort();
    memcpy(old, &kernel.frequency, sizeof kernel.frequency);
    return 0;
}

/* Does not find zombies. */
static inline int proc_pidinfo(int pid, int flavor, uint64_t argument, void *buffer, int size)
{
    struct proc_taskinfo info = {(int32_t)kernel.faults, (int32_t)kernel.pageins};

    if (flavor != PROC_PIDTASKINFO || argument || size != (int)sizeof info)
        abort();
    errno = pid == 5 || made.zombie ? ESRCH : (int)kernel.failure;
    if (errno)
        return 0;
    memcpy(buffer, &info, sizeof info);
    return kernel.reply < size ? (int)kernel.reply : size;
}

static inline int proc_pid_rusage(int pid, int flavor, rusage_info_t *buffer)
{
    struct rusage_info_v2 info;

    if (flavor != RUSAGE_INFO_V2)
        abort();
    errno = pid == 5 || !use(pid) ? ESRCH : made.denied ? EPERM : (int)kernel.failure;
    if (errno)
        return -1;
    memset(&info, 0, sizeof info);
    info.ri_user_time = (uint64_t)made.time * 24;   /* ticks of 125/3 ns */
    info.ri_system_time = 12000024;
    info.ri_child_user_time = (uint64_t)made.waited * 24;
    info.ri_proc_start_abstime = (uint64_t)made.start;
    info.ri_proc_exit_abstime = (uint64_t)kernel.ended;
    info.ri_diskio_bytesread = 34 * 512;
    info.ri_diskio_byteswritten = 35 * 512 + 511;
    info.ri_resident_size = (uint64_t)made.rss;
    memcpy(buffer, &info, sizeof info);
    return 0;
}

struct kinfo_proc {
    struct {
        int p_pid;
        char p_stat, p_comm[17];
        struct timeval p_starttime;
    } kp_proc;
    struct {
        int e_ppid;
    } kp_eproc;
};

static inline void fill(void *to, int pid)
{
    struct kinfo_proc *record = to;

    memset(record, 0, sizeof *record);
    record->kp_proc.p_pid = pid;
    copy_name(record->kp_proc.p_comm, sizeof record->kp_proc.p_comm);
    record->kp_proc.p_stat = made.zombie ? SZOMB : SRUN;
    record->kp_proc.p_starttime = timeval_of(kernel.boot + made.start);
    record->kp_eproc.e_ppid = (int)made.parent;
}

/* Reports the processes of all users. */
static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                         size_t new_size)
{
    struct kinfo_proc record;

    if (name[0] != CTL_KERN || name[1] != KERN_PROC || new || new_size)
        abort();
    if (count == 3 && name[2] == KERN_PROC_ALL)
        return copy_list(old, size, sizeof record, fill);
    if (count != 4 || name[2] != KERN_PROC_PID)
        abort();
    return copy_process(name[3], old, size, &record, sizeof record, fill);
}
