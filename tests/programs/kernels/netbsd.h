/* In place of the headers and the kernel of NetBSD. */

#pragma once

#include "kernel.h"

enum { CTL_KERN = 1, KERN_PROC2 = 47, KERN_PROC_ALL = 0, KERN_PROC_PID = 1, P_PPWAIT = 0x10 };

struct kinfo_proc2 {
    int32_t p_pid, p_ppid;
    int64_t p_uvalid;
    int8_t p_realstat;
    int32_t p_flag, p_vm_rssize;
    uint32_t p_ustart_sec, p_ustart_usec, p_uutime_sec, p_uutime_usec, p_ustime_sec, p_ustime_usec, p_uctime_sec, p_uctime_usec;
    uint64_t p_uru_maxrss, p_uru_ixrss, p_uru_idrss, p_uru_isrss, p_uru_minflt, p_uru_majflt, p_uru_nswap, p_uru_inblock,
        p_uru_oublock, p_uru_msgsnd, p_uru_msgrcv, p_uru_nsignals, p_uru_nvcsw, p_uru_nivcsw;
};

static inline void fill(void *to, int pid)
{
    struct kinfo_proc2 *process = to;

    memset(process, 0, sizeof *process);
    process->p_pid = pid == 5 ? 6 : pid;
    process->p_ppid = (int)parent_pid;
    process->p_realstat = zombie ? 5 : 2;
    if (!zombie && busy-- <= 0) {
        process->p_uvalid = 1;
        process->p_flag = vforked ? P_PPWAIT : 0;
        process->p_vm_rssize = (int32_t)rss_units;
        process->p_ustart_sec = (uint32_t)((boot + start_time) / 1000000);
        process->p_ustart_usec = (uint32_t)((boot + start_time) % 1000000);
        process->p_uutime_sec = (uint32_t)(user_time / 1000000);
        process->p_uutime_usec = (uint32_t)(user_time % 1000000);
        process->p_uctime_sec = (uint32_t)(waited_time / 1000000);
        process->p_uctime_usec = (uint32_t)(waited_time % 1000000);
        process->p_ustime_usec = 500001;
        process->p_uru_maxrss = 4242;
        process->p_uru_ixrss = 21;
        process->p_uru_idrss = 22;
        process->p_uru_isrss = 23;
        process->p_uru_minflt = 31;
        process->p_uru_majflt = 32;
        process->p_uru_nswap = 33;
        process->p_uru_inblock = 34;
        process->p_uru_oublock = 35;
        process->p_uru_msgsnd = 36;
        process->p_uru_msgrcv = 37;
        process->p_uru_nsignals = 38;
        process->p_uru_nvcsw = 39;
        process->p_uru_nivcsw = 40;
    }
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new, size_t new_size)
{
    struct kinfo_proc2 process;

    if (count != 6 || name[0] != CTL_KERN || name[1] != KERN_PROC2 || name[4] != (int)sizeof process || new || new_size)
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
