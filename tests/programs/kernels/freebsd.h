/* In place of the headers and the kernel of FreeBSD. */

#pragma once

#define PROC_REAP_ACQUIRE 2
#include "usage.h"

#define HAS_OF_PROCESS

enum {
    CTL_KERN = 1,
    KERN_CLOCKRATE = 12,
    KERN_PROC = 14,
    KERN_PROC_PID = 1,
    KERN_PROC_PROC = 8,
    KERN_BOOTTIME = 21,
    SZOMB = 5,
    P_PPWAIT = 0x10
};

struct kinfo_proc {
    int ki_structsize, ki_pid, ki_ppid;
    char ki_stat;
    long ki_flag, ki_rssize;
    struct timeval ki_start, ki_childtime;
    struct rusage ki_rusage;
};

static inline void fill(void *to, int pid)
{
    struct kinfo_proc *record = to;

    memset(record, 0, sizeof *record);
    record->ki_structsize = kernel.layout ? (int)kernel.layout : (int)sizeof *record;
    record->ki_pid = pid_of(pid);
    record->ki_ppid = (int)made.parent;
    record->ki_childtime = timeval_of(made.waited);
    record->ki_stat = made.zombie ? SZOMB : 3;
    record->ki_flag = made.vforked ? P_PPWAIT : 0;
    record->ki_rssize = made.rss;
    record->ki_start = timeval_of(kernel.boot + made.start);
    fill_usage(&record->ki_rusage, made.time + (made.zombie ? made.waited : 0), 500001);
    count(&record->ki_rusage, 31, 1);
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                         size_t new_size)
{
    struct kinfo_proc record;

    if (name[0] != CTL_KERN || new || new_size)
        abort();
    if (count == 2 && name[1] == KERN_BOOTTIME)
        return copy_boottime(old, size);
    if (count == 2 && name[1] == KERN_CLOCKRATE)
        return copy_clockrate(old, size);
    if (count == 3 && name[1] == KERN_PROC && name[2] == KERN_PROC_PROC)
        return copy_list(old, size, sizeof record, fill);
    if (count != 4 || name[1] != KERN_PROC || name[2] != KERN_PROC_PID)
        abort();
    errno = ESRCH;
    if (!use(name[3]))
        return -1;
    fill(&record, name[3]);
    return copy_out(old, size, &record, sizeof record);
}
