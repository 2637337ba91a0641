/* In place of the headers and the kernel of FreeBSD. */

#pragma once

#include "kernel.h"

#include <sys/resource.h>

#define HAS_OF_PROCESS

enum { CTL_KERN = 1, KERN_CLOCKRATE = 12, KERN_PROC = 14, KERN_PROC_PID = 1, KERN_PROC_PROC = 8, KERN_BOOTTIME = 21, SZOMB = 5, P_PPWAIT = 0x10 };

struct clockinfo { int hz, stathz; };
struct kinfo_proc {
    int ki_structsize, ki_pid, ki_ppid;
    char ki_stat;
    long ki_flag, ki_rssize;
    struct timeval ki_start, ki_childtime;
    struct rusage ki_rusage;
};

static inline void fill(void *to, int pid)
{
    struct kinfo_proc *process = to;

    memset(process, 0, sizeof *process);
    process->ki_structsize = layout ? (int)layout : (int)sizeof *process;
    process->ki_pid = pid == 5 ? 6 : pid;
    process->ki_ppid = (int)parent_pid;
    process->ki_childtime = timeval_of(waited_time);
    process->ki_stat = zombie ? SZOMB : 3;
    process->ki_flag = vforked ? P_PPWAIT : 0;
    process->ki_rssize = rss_units;
    process->ki_start = timeval_of(boot + start_time);
    process->ki_rusage.ru_utime = timeval_of(user_time + (zombie ? waited_time : 0));
    process->ki_rusage.ru_stime = timeval_of(500001);
    process->ki_rusage.ru_maxrss = 4242;
    process->ki_rusage.ru_ixrss = 21;
    process->ki_rusage.ru_idrss = 22;
    process->ki_rusage.ru_isrss = 23;
    process->ki_rusage.ru_minflt = 31;
    process->ki_rusage.ru_majflt = 32;
    process->ki_rusage.ru_nswap = 33;
    process->ki_rusage.ru_inblock = 34;
    process->ki_rusage.ru_oublock = 35;
    process->ki_rusage.ru_msgsnd = 36;
    process->ki_rusage.ru_msgrcv = 37;
    process->ki_rusage.ru_nsignals = 38;
    process->ki_rusage.ru_nvcsw = 39;
    process->ki_rusage.ru_nivcsw = 40;
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new, size_t new_size)
{
    struct kinfo_proc process;

    if (name[0] != CTL_KERN || new || new_size)
        abort();
    if (count == 2 && name[1] == KERN_BOOTTIME)
        return copy_boottime(old, size);
    if (count == 2 && name[1] == KERN_CLOCKRATE) {
        struct clockinfo rate = {(int)clock_hz, (int)clock_stathz};

        return copy_out(old, size, &rate, sizeof rate);
    }
    if (count == 3 && name[1] == KERN_PROC && name[2] == KERN_PROC_PROC)
        return copy_list(old, size, sizeof process, fill);
    if (count != 4 || name[1] != KERN_PROC || name[2] != KERN_PROC_PID)
        abort();
    errno = ESRCH;
    if (!use(name[3]))
        return -1;
    fill(&process, name[3]);
    return copy_out(old, size, &process, sizeof process);
}
