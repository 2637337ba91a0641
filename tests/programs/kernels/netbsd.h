/* In place of the headers and the kernel of NetBSD. */

#pragma once

#include "kernel.h"

#define KERN_PROC2 47

enum {
    CTL_KERN = 1,
    KERN_CLOCKRATE = 12,
    KERN_PROC_ALL = 0,
    KERN_PROC_PID = 1,
    KERN_BOOTTIME = -1, /* not asked for */
    P_PPWAIT = 0x10
};

struct kinfo_proc2 {
    int32_t p_pid, p_ppid;
    int64_t p_uvalid;
    int8_t p_realstat;
    char p_comm[24];
    int32_t p_flag, p_vm_rssize;
    uint32_t p_ustart_sec, p_ustart_usec, p_uutime_sec, p_uutime_usec, p_ustime_sec, p_ustime_usec,
        p_uctime_sec, p_uctime_usec;
    uint64_t p_uru_maxrss, p_uru_ixrss, p_uru_idrss, p_uru_isrss, p_uru_minflt, p_uru_majflt,
        p_uru_nswap, p_uru_inblock, p_uru_oublock, p_uru_msgsnd, p_uru_msgrcv, p_uru_nsignals,
        p_uru_nvcsw, p_uru_nivcsw;
};

#define KINFO kinfo_proc2
#define RECORDS KERN_PROC2
#include "kinfo.h"

static inline void fill(void *to, int pid)
{
    struct kinfo_proc2 *record = to;
    uint64_t i;
    int is_complete = fill_known(record, pid, kernel.boot + made.start);

    record->p_realstat = made.zombie ? 5 : 2;
    for (i = 0; is_complete && i < 3; i++)
        (&record->p_uru_ixrss)[i] = 21 + i;
    for (i = 0; is_complete && i < 10; i++)
        (&record->p_uru_minflt)[i] = 31 + i;
}
