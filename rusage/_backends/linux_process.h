/* Linux: functions of linux_process.c that linux_process_open.c calls too. */

#pragma once

#include "linux_proc.h"
#include "../_c/process.h"

static int rusage_read_stat(const rusage_process *process, rusage_stat *stat);
static int rusage_check_alive(const rusage_process *process);
static int rusage_try_again(const rusage_process *process, int error, int64_t *end);
static int rusage_read_peak(const rusage_process *process, int64_t *peak);
static int rusage_has_peak(const rusage_process *process, const rusage_call *call);
static int rusage_reported(int error);
static uint64_t rusage_pid_namespace(void);
