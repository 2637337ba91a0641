/* In place of the headers and the kernel of OpenBSD. */

#pragma once

#include "kernel.h"

enum { CTL_KERN = 1, KERN_CLOCKRATE = 12, KERN_PROC = 66, KERN_PROC_ALL = 0, KERN_PROC_PID = 1, KERN_BOOTTIME = 21 };

struct clockinfo { int hz, stathz; };
struct kinfo_proc {
    int32_t p_pid, p_ppid;
    int64_t p_uvalid;
    int32_t p_vm_rssize;
    uint64_t p_ustart_sec;
    uint32_t p_ustart_usec, p_uutime_sec, p_uutime_usec, p_ustime_sec, p_ustime_usec, p_uctime_sec, p_uctime_usec;
    uint64_t p_uru_maxrss, p_uru_minflt, p_uru_nvcsw;
};

static inline void fill(void *to, int pid)
{
    struct kinfo_proc *process = to;
    int64_t started = boot + start_time + (rounding + 500) / 1000;

    memset(process, 0, sizeof *process);
    process->p_pid = pid == 5 ? 6 : pid;
    process->p_ppid = (int)parent_pid;
    if (!zombie) {
        process->p_uvalid = 1;
        process->p_vm_rssize = (int32_t)rss_units;
        process->p_ustart_sec = (uint64_t)started / 1000000;
        process->p_ustart_usec = (uint32_t)(started % 1000000);
        process->p_uutime_sec = (uint32_t)(user_time / 1000000);
        process->p_uutime_usec = (uint32_t)(user_time % 1000000);
        process->p_uctime_sec = (uint32_t)(waited_time / 1000000);
        process->p_uctime_usec = (uint32_t)(waited_time % 1000000);
        process->p_ustime_usec = 500001;
        process->p_uru_maxrss = 4242;
        process->p_uru_minflt = 31;
        process->p_uru_nvcsw = 39;
    }
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
    if (count != 6 || name[1] != KERN_PROC || name[4] != (int)sizeof process)
        abort();
    if (name[2] == KERN_PROC_ALL && name[5] == (old ? (int)(*size / sizeof process) : 0))
        return copy_list(old, size, sizeof process, fill);
    if (name[2] != KERN_PROC_PID || name[5] != 1)
        abort();
    if (!use(name[3])) {
        *size = 0;
        return 0;
    }
    fill(&process, name[3]);
    return copy_out(old, size, &process, sizeof process);
}
