/* Another process, for the systems that can report its usage. */

#pragma once

#include "rusage.h"

/* There is no such process, it has ended, or the number is the ID of a thread. Windows has no code of its own for it. */
#ifndef RUSAGE_NO_PROCESS
#define RUSAGE_NO_PROCESS ESRCH
#endif

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call);
static int rusage_process_get(const rusage_process *process, rusage_call *call);
static int64_t rusage_process_maxrss(const rusage_process *process, const rusage_call *call);
static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call);
static double rusage_process_cputime(const rusage_process *process, const rusage_call *call);
static void rusage_process_close(rusage_process *process);
