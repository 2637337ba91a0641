/* In place of the headers and the kernel of DragonFly BSD. */

#pragma once

#include "kernel.h"

#define HAS_NO_PROCESS

enum { CTL_KERN = 1, KERN_PROC = 14, KERN_PROC_PID = 1 };

struct kinfo_proc {
    int kp_pid;
    long kp_vm_rssize;
};

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new, size_t new_size)
{
    struct kinfo_proc process = {zombie ? 5 : getpid(), rss};

    if (count != 4 || name[0] != CTL_KERN || name[1] != KERN_PROC || name[2] != KERN_PROC_PID || name[3] != getpid() || new
        || new_size)
        abort();
    return copy_out(old, size, &process, sizeof process);
}
