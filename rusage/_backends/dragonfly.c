/* DragonFly BSD. */

#include "../_c/unix.c"
#include "../_c/kinfo.c"

#include <sys/procctl.h>

#include <sys/kinfo.h>

/* P_WEXIT and P_PPWAIT in sys/proc.h, which programs cannot include. */
enum { RUSAGE_EXITING = 0x02000, RUSAGE_PARENT_WAITS = 0x00010 };

/* Get a record for each thread of a process by the sysctl kern.proc.pid_lwp. The caller frees them. */
static int rusage_read_threads(int pid, struct kinfo_proc **threads, size_t *count)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID | KERN_PROC_FLAG_LWP, pid};
    size_t room, size = 0;
    int error = ENOMEM;

    for (room = 8; error == ENOMEM; room *= 2) {
        *threads = malloc(room * sizeof **threads);
        if (*threads == NULL)
            return ENOMEM;
        size = room * sizeof **threads;
        error = sysctl(name, 4, *threads, &size, NULL, 0) != 0 ? errno : 0;
        if (error == 0 && size == 0)
            error = ESRCH;
        else if (error == 0 && size % sizeof **threads != 0) /* the kernel uses another layout */
            error = EINVAL;
        else if (error == 0 && (*threads)->kp_pid != pid)
            error = RUSAGE_NO_PROCESS;
        if (error != 0)
            free(*threads);
    }
    *count = size / sizeof **threads;
    return error;
}

static void rusage_add_microseconds(struct timeval *time, uint64_t microseconds)
{
    microseconds += (uint64_t)time->tv_usec;
    time->tv_sec += (time_t)(microseconds / 1000000);
    time->tv_usec = (suseconds_t)(microseconds % 1000000);
}

/* Add up the usage as getrusage(2) does, by calcru_proc() in sys/kern/kern_resource.c: kp_ru has what belongs to the
   process and to threads that have ended, kl_ru the counters of a thread, kl_uticks and kl_sticks its microseconds. */
static void rusage_add_threads(const struct kinfo_proc *threads, size_t count, struct rusage *native)
{
    size_t i;

    *native = threads->kp_ru;
    for (i = 0; i < count; i++) {
        const struct kinfo_lwp *thread = &threads[i].kp_lwp;

        rusage_add_microseconds(&native->ru_utime, thread->kl_uticks);
        rusage_add_microseconds(&native->ru_stime, thread->kl_sticks);
        native->ru_minflt += thread->kl_ru.ru_minflt;
        native->ru_majflt += thread->kl_ru.ru_majflt;
        native->ru_nswap += thread->kl_ru.ru_nswap;
        native->ru_inblock += thread->kl_ru.ru_inblock;
        native->ru_oublock += thread->kl_ru.ru_oublock;
        native->ru_msgsnd += thread->kl_ru.ru_msgsnd;
        native->ru_msgrcv += thread->kl_ru.ru_msgrcv;
        native->ru_nsignals += thread->kl_ru.ru_nsignals;
        native->ru_nvcsw += thread->kl_ru.ru_nvcsw;
        native->ru_nivcsw += thread->kl_ru.ru_nivcsw;
    }
}

/* In sys/kern/kern_kinfo.c, fill_kinfo_proc() sets kp_vm_rssize, in pages, kp_start, the time of the start, which does not move
   when the clock is set, and kp_cru, the usage of the children that the process has waited for. Of a process that exits, the
   times are not read, since exit1() in sys/kern/kern_exit.c adds the threads to kp_ru while they are still in the list. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    struct kinfo_proc *threads;
    struct rusage native;
    size_t count;
    int error = rusage_read_threads(pid, &threads, &count), exits;

    if (error != 0)
        return error;
    exits = threads->kp_stat == SZOMB || (threads->kp_flags & RUSAGE_EXITING) != 0;
    figures->state = exits ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    figures->parent = threads->kp_ppid;
    figures->shares_memory = (threads->kp_flags & RUSAGE_PARENT_WAITS) != 0;
    figures->start = rusage_microseconds(&threads->kp_start);
    figures->rss = (int64_t)threads->kp_vm_rssize * getpagesize();
    figures->waited =
        rusage_seconds(rusage_microseconds(&threads->kp_cru.ru_utime) + rusage_microseconds(&threads->kp_cru.ru_stime));
    if (!exits) {
        rusage_add_threads(threads, count, &native);
        figures->own = rusage_seconds(rusage_microseconds(&native.ru_utime) + rusage_microseconds(&native.ru_stime));
        if (call != NULL)
            rusage_convert(&native, call);
    }
    free(threads);
    return 0;
}

static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

static int rusage_tree_list(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL}, i, count = 0;
    int error = rusage_sysctl_list(tree, name, 3, NULL, sizeof(struct kinfo_proc), &count);
    const struct kinfo_proc *processes = (const struct kinfo_proc *)(const void *)tree->system.buffer;

    for (i = 0; error == 0 && i < count; i++)
        error = rusage_tree_found(tree, processes[i].kp_pid, processes[i].kp_ppid);
    return error;
}

/* procctl(2): a process that is one already returns EBUSY. */
static int rusage_become_reaper(void)
{
    return procctl(P_PID, getpid(), PROC_REAP_ACQUIRE, NULL) != 0 && errno != EBUSY ? errno : 0;
}
