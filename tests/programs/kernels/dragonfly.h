/* In place of the headers and the kernel of DragonFly BSD. */

#pragma once

#include "kernel.h"

#include <sys/resource.h>

enum { CTL_KERN = 1, KERN_PROC = 14, KERN_PROC_ALL = 0, KERN_PROC_PID = 1, KERN_PROC_FLAG_LWP = 0x10, SACTIVE = 2, SZOMB = 4 };

struct kinfo_lwp {
    uint64_t kl_uticks, kl_sticks;
    struct rusage kl_ru;
};
struct kinfo_proc {
    int kp_flags, kp_stat, kp_pid, kp_ppid;
    long kp_vm_rssize;
    struct timeval kp_start;
    struct rusage kp_ru, kp_cru;
    struct kinfo_lwp kp_lwp;
};

static inline void count(struct rusage *usage, long first, long step)
{
    usage->ru_minflt = first;
    usage->ru_majflt = first + step;
    usage->ru_nswap = first + 2 * step;
    usage->ru_inblock = first + 3 * step;
    usage->ru_oublock = first + 4 * step;
    usage->ru_msgsnd = first + 5 * step;
    usage->ru_msgrcv = first + 6 * step;
    usage->ru_nsignals = first + 7 * step;
    usage->ru_nvcsw = first + 8 * step;
    usage->ru_nivcsw = first + 9 * step;
}

/* The record of a thread. Each counter is 4 for threads that have ended, 27 and more for the first thread, and 1 for any
   other; each of these has used a second. */
static inline struct kinfo_proc thread_of(int pid, int64_t number)
{
    struct kinfo_proc process;

    memset(&process, 0, sizeof process);
    process.kp_flags = (exiting ? 0x02000 : 0) | (vforked ? 0x00010 : 0);
    process.kp_stat = zombie ? SZOMB : SACTIVE;
    process.kp_pid = pid == 5 ? 6 : pid;
    process.kp_start = timeval_of(1000000000000000 + start_time);    /* it does not move when the clock is set */
    process.kp_vm_rssize = rss_units;
    process.kp_ppid = (int)parent_pid;
    process.kp_cru.ru_utime = timeval_of(waited_time);
    process.kp_ru.ru_utime = timeval_of(user_time - 500000);
    process.kp_ru.ru_stime = timeval_of(500000);
    process.kp_ru.ru_maxrss = 4242;
    process.kp_ru.ru_ixrss = 21;
    process.kp_ru.ru_idrss = 22;
    process.kp_ru.ru_isrss = 23;
    count(&process.kp_ru, 4, 0);
    process.kp_lwp.kl_uticks = number == 0 ? 500000 : 1000000;
    process.kp_lwp.kl_sticks = number == 0 ? 1 : 0;
    if (number == 0)
        count(&process.kp_lwp.kl_ru, 27, 1);
    else
        count(&process.kp_lwp.kl_ru, 1, 0);
    return process;
}

static inline void fill(void *to, int pid)
{
    *(struct kinfo_proc *)to = thread_of(pid, 0);
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new, size_t new_size)
{
    size_t room = *size / sizeof(struct kinfo_proc);
    int64_t i, found = name[2] == KERN_PROC_PID ? 1 : thread_count;

    if (count == 3 && name[2] == KERN_PROC_ALL)
        return copy_list(old, size, sizeof(struct kinfo_proc), fill);
    if (count != 4 || name[0] != CTL_KERN || name[1] != KERN_PROC || (name[2] & ~KERN_PROC_FLAG_LWP) != KERN_PROC_PID || new
        || new_size)
        abort();
    errno = ESRCH;
    if (!use(name[3]))
        return -1;
    for (i = 0; i < found && i < (int64_t)room; i++)
        ((struct kinfo_proc *)old)[i] = thread_of(name[3], i);
    *size = (size_t)i * sizeof(struct kinfo_proc);
    if (reply < (int64_t)*size)
        *size = (size_t)reply;
    errno = failure ? (int)failure : ENOMEM;
    return failure || found > (int64_t)room ? -1 : 0;
}
