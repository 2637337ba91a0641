/* Another process, for the systems that can report its usage. */

#pragma once

#include "rusage.h"

/* What identifies one process while it is open, even if another one gets its process ID. */
typedef struct {
    int pid;
    int is_open;
    uint32_t measured;              /* bit i: the field with index i can be read for this process */
    int directory, pidfd;           /* Linux: /proc/PID; -1 where the kernel has no pidfd_open(2) */
    uint64_t namespace;             /* Linux: that of the number; 0 if unknown */
    int forked;                     /* it was opened before this process was forked */
    int64_t start;                  /* macOS and the BSDs: when it was started */
    intptr_t handle;                /* Windows */
} rusage_process;

/* There is no such process, it has ended, or the number is that of a thread. Windows has no code of its own for it. */
#ifndef RUSAGE_NO_PROCESS
#define RUSAGE_NO_PROCESS ESRCH
#endif

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call);
static int rusage_process_get(const rusage_process *process, rusage_call *call);
static int64_t rusage_process_maxrss(const rusage_process *process, const rusage_call *call);
static double rusage_process_cputime(const rusage_process *process, const rusage_call *call);
static void rusage_process_close(rusage_process *process);
