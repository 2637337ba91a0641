/* In place of the headers and the kernel of DragonFly BSD. */

#pragma once

#define PROC_REAP_ACQUIRE 2
#include "usage.h"

enum {
    CTL_KERN = 1,
    KERN_PROC = 14,
    KERN_PROC_ALL = 0,
    KERN_PROC_PID = 1,
    KERN_PROC_FLAG_LWP = 0x10,
    SACTIVE = 2,
    SZOMB = 4
};

struct kinfo_lwp {
    uint64_t kl_uticks, kl_sticks;
    struct rusage kl_ru;
};
struct kinfo_proc {
    int kp_flags, kp_stat, kp_pid, kp_ppid;
    char kp_comm[17];
    long kp_vm_rssize;
    struct timeval kp_start;
    struct rusage kp_ru, kp_cru;
    struct kinfo_lwp kp_lwp;
};

/* The record of a thread. Each counter is 4 for threads that have ended, 27 and more for the first
   thread, and 1 for any other; each of these has used a second. */
static inline struct kinfo_proc thread_of(int pid, int64_t number)
{
    struct kinfo_proc record;

    memset(&record, 0, sizeof record);
    record.kp_flags = (kernel.exiting ? 0x02000 : 0) | (made.vforked ? 0x00010 : 0);
    record.kp_stat = made.zombie ? SZOMB : SACTIVE;
    record.kp_pid = pid_of(pid);
    copy_name(record.kp_comm, sizeof record.kp_comm);
    /* it does not move when the clock is set */
    record.kp_start = timeval_of(1000000000000000 + made.start);
    record.kp_vm_rssize = made.rss;
    record.kp_ppid = (int)made.parent;
    record.kp_cru.ru_utime = timeval_of(made.waited);
    fill_usage(&record.kp_ru, made.time / 2, 500000);
    count(&record.kp_ru, 4, 0);
    record.kp_lwp.kl_uticks = (uint64_t)(number == 0 ? made.time - made.time / 2 : 1000000);
    record.kp_lwp.kl_sticks = number == 0 ? 1 : 0;
    count(&record.kp_lwp.kl_ru, number == 0 ? 27 : 1, number == 0);
    return record;
}

static inline void fill(void *to, int pid)
{
    *(struct kinfo_proc *)to = thread_of(pid, 0);
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                         size_t new_size)
{
    int64_t i, fitting = (int64_t)(*size / sizeof(struct kinfo_proc)),
               found = name[2] == KERN_PROC_PID ? 1 : kernel.threads;

    if (count == 3 && name[2] == KERN_PROC_ALL)
        return copy_list(old, size, sizeof(struct kinfo_proc), fill);
    if (count != 4 || name[0] != CTL_KERN || name[1] != KERN_PROC
        || (name[2] & ~KERN_PROC_FLAG_LWP) != KERN_PROC_PID || new || new_size)
        abort();
    errno = ESRCH;
    if (!use(name[3]))
        return -1;
    errno = kernel.failure ? (int)kernel.failure : ENOMEM;
    if (old == NULL) {
        *size = (size_t)found * sizeof(struct kinfo_proc);
        return kernel.failure ? -1 : 0;
    }
    for (i = 0; i < found && i < fitting; i++)
        ((struct kinfo_proc *)old)[i] = thread_of(name[3], i);
    *size = (size_t)i * sizeof(struct kinfo_proc);
    if (kernel.reply < (int64_t)*size)
        *size = (size_t)kernel.reply;
    return kernel.failure || found > fitting ? -1 : 0;
}
