/* A process on NetBSD and OpenBSD, whose records of processes have the same members. */

#include "kinfo.c"

#include <limits.h>

#ifdef KERN_PROC2 /* NetBSD */
typedef struct kinfo_proc2 rusage_kinfo;
/* The parent waits: between vfork(2) and exec. */
enum { RUSAGE_KERN_PROC = KERN_PROC2, RUSAGE_SHARES_MEMORY = P_PPWAIT };
#else
typedef struct kinfo_proc rusage_kinfo;
/* vfork(2) copies the memory. */
enum { RUSAGE_KERN_PROC = KERN_PROC, RUSAGE_SHARES_MEMORY = 0 };
#endif

/* Defined for both systems. EAGAIN: the record of a living process is not complete now. */
static int rusage_state_in(const rusage_kinfo *process, int *state);

/* The sysctl kern.proc or kern.proc2. The kernels set p_uvalid, the times and p_uctime_sec, the
   user and system time of the children that the process has waited for, unless it is a zombie.
   p_vm_rssize counts pages. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_PID, pid, sizeof(rusage_kinfo), 1};
    rusage_values values = {0};
    rusage_kinfo process;
    int64_t epoch;
    int error = rusage_sysctl_one(name, 6, &process, sizeof process, &epoch);

    if (error != 0)
        return error;
    if (process.p_pid != pid)
        return RUSAGE_NO_PROCESS;
    figures->parent = process.p_ppid;
    error = rusage_state_in(&process, &figures->state);
    if (error != 0 || figures->state == RUSAGE_ZOMBIE)
        return error;
    figures->shares_memory = (process.p_flag & RUSAGE_SHARES_MEMORY) != 0;
    figures->start = (int64_t)process.p_ustart_sec * 1000000 + process.p_ustart_usec - epoch;
    figures->rss = (int64_t)process.p_vm_rssize * getpagesize();
    rusage_set_name(figures, process.p_comm, sizeof process.p_comm);
    figures->waited = process.p_uctime_sec + process.p_uctime_usec / 1e6;
    values.utime = (int64_t)process.p_uutime_sec * 1000000 + process.p_uutime_usec;
    values.stime = (int64_t)process.p_ustime_sec * 1000000 + process.p_ustime_usec;
    values.minflt = (int64_t)process.p_uru_minflt;
    values.majflt = (int64_t)process.p_uru_majflt;
    values.inblock = (int64_t)process.p_uru_inblock;
    values.oublock = (int64_t)process.p_uru_oublock;
    values.msgsnd = (int64_t)process.p_uru_msgsnd;
    values.msgrcv = (int64_t)process.p_uru_msgrcv;
    values.nsignals = (int64_t)process.p_uru_nsignals;
    rusage_set_usage(figures, &values, RUSAGE_MICROSECONDS, call);
    return 0;
}

static int rusage_tree_list(rusage_tree *tree)
{
    int name[6] = {CTL_KERN, RUSAGE_KERN_PROC, KERN_PROC_ALL, 0, sizeof(rusage_kinfo), INT_MAX};

    return rusage_list(tree, name, 6, sizeof(rusage_kinfo), offsetof(rusage_kinfo, p_pid),
                       offsetof(rusage_kinfo, p_ppid));
}
