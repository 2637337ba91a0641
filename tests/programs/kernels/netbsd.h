/* In place of the headers and the kernel of NetBSD. */

#pragma once

#include "kernel.h"

#define KERN_PROC2 47

enum { CTL_KERN = 1, KERN_CLOCKRATE = 12, KERN_PROC_ALL = 0, KERN_PROC_PID = 1, P_PPWAIT = 0x10 };

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

static inline void fill(void *to, int pid)
{
    struct kinfo_proc2 *record = to;
    uint64_t i;

    memset(record, 0, sizeof *record);
    record->p_pid = pid_of(pid);
    record->p_ppid = (int)made.parent;
    strncpy(record->p_comm, made_name, sizeof record->p_comm - 1);
    record->p_realstat = made.zombie ? 5 : 2;
    if (made.zombie || kernel.busy-- > 0)
        return;
    record->p_uvalid = 1;
    record->p_flag = made.vforked ? P_PPWAIT : 0;
    record->p_vm_rssize = (int32_t)made.rss;
    record->p_ustart_sec = (uint32_t)((kernel.boot + made.start) / 1000000);
    record->p_ustart_usec = (uint32_t)((kernel.boot + made.start) % 1000000);
    record->p_uutime_sec = (uint32_t)(made.time / 1000000);
    record->p_uutime_usec = (uint32_t)(made.time % 1000000);
    record->p_uctime_sec = (uint32_t)(made.waited / 1000000);
    record->p_uctime_usec = (uint32_t)(made.waited % 1000000);
    record->p_ustime_usec = 500001;
    record->p_uru_maxrss = 4242;
    for (i = 0; i < 3; i++)
        (&record->p_uru_ixrss)[i] = 21 + i;
    for (i = 0; i < 10; i++)
        (&record->p_uru_minflt)[i] = 31 + i;
}

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                         size_t new_size)
{
    struct kinfo_proc2 record;

    if (count == 2 && name[1] == KERN_CLOCKRATE)
        return copy_clockrate(old, size);
    if (count != 6 || name[0] != CTL_KERN || name[1] != KERN_PROC2 || name[4] != (int)sizeof record
        || new || new_size)
        abort();
    if (name[2] == KERN_PROC_ALL && name[5] > 256)
        return copy_list(old, size, sizeof record, fill);
    if (name[2] != KERN_PROC_PID || name[5] != 1)
        abort();
    return copy_process(name[3], old, size, &record, sizeof record, fill);
}
