/* In place of the headers and the kernel of OpenBSD. */

#pragma once

#include "kernel.h"

enum {
    CTL_KERN = 1,
    KERN_CLOCKRATE = 12,
    KERN_PROC = 66,
    KERN_PROC_ALL = 0,
    KERN_PROC_PID = 1,
    KERN_BOOTTIME = 21,
    P_PPWAIT = 0x10
};

struct kinfo_proc {
    int32_t p_pid, p_ppid;
    int64_t p_uvalid;
    char p_comm[24];
    int32_t p_flag, p_vm_rssize;
    uint64_t p_ustart_sec;
    uint32_t p_ustart_usec, p_uutime_sec, p_uutime_usec, p_ustime_sec, p_ustime_usec, p_uctime_sec,
        p_uctime_usec;
    uint64_t p_uru_maxrss, p_uru_minflt, p_uru_majflt, p_uru_inblock, p_uru_oublock, p_uru_msgsnd,
        p_uru_msgrcv, p_uru_nsignals, p_uru_nvcsw;
};

#define KINFO kinfo_proc
#define RECORDS KERN_PROC
#include "kinfo.h"

static inline void fill(void *to, int pid)
{
    struct kinfo_proc *record = to;

    if (!fill_known(record, pid, kernel.boot + made.start + (kernel.rounding + 500) / 1000))
        return;
    record->p_uru_minflt = 31;
    record->p_uru_nvcsw = 39;
}
