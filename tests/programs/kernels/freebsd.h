/* In place of the headers and the kernel of FreeBSD. */

#pragma once

#define PROC_REAP_ACQUIRE 2
#include "usage.h"

#include <sys/wait.h>

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
    char ki_stat, ki_comm[20];
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
    copy_name(record->ki_comm, sizeof record->ki_comm);
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

enum { WTRAPPED = 0x20 }; /* Linux has the other options */

struct __wrusage {
    struct rusage wru_self, wru_children;
};

/* A child, 77 at first, whose thread_exit() comes only as far as the parent waits for it: before
   the lock of its usage, with this lock, and when it has added its last thread. */
static int child = 77;
static enum { UNLOCKED, LOCKED, ADDED } progress;

static inline pid_t wait_for(int64_t pid, int options, struct rusage *usage)
{
    if (pid > 0 && pid != child) {
        errno = ECHILD;
        return -1;
    }
    if (usage) {
        memset(usage, 0, sizeof *usage);
        if (progress == ADDED) {
            fill_usage(usage, 1250000, 500001);
            count(usage, 31, 1);
        } else if (progress == LOCKED)
            progress = ADDED;
    }
    if (progress == UNLOCKED)
        progress = LOCKED;
    if (options & WNOWAIT)
        return child;
    if (kernel.taken > 0) {
        kernel.taken--;
        child++;
        progress = UNLOCKED;
        errno = ECHILD;
        return -1;
    }
    return child;
}

static inline pid_t wait6(idtype_t type, int64_t id, int *status, int options,
                          struct __wrusage *usage, siginfo_t *info)
{
    if (!(options & WEXITED) || info)
        abort();
    *status = 3 << 8;
    if (usage)
        memset(&usage->wru_children, 0, sizeof usage->wru_children);
    return wait_for(type == P_PID ? id : -1, options, usage ? &usage->wru_self : NULL);
}

static inline pid_t made_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    *status = 3 << 8;
    return wait_for(pid, options, usage);
}
#define wait4 made_wait4
