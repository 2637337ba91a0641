/* DragonFly BSD. */

#include "../_c/unix.c"
#include "../_c/process_by_start.c"
#include "../_c/rss.h"

#include <stdlib.h>

#include <sys/kinfo.h>
#include <sys/sysctl.h>

/* P_WEXIT and P_PPWAIT in sys/proc.h, which programs cannot include. */
enum { RUSAGE_EXITING = 0x02000, RUSAGE_PARENT_WAITS = 0x00010 };

/* The sysctl kern.proc.pid. In sys/kern/kern_kinfo.c, fill_kinfo_proc() sets kp_vm_rssize, in pages. */
static int64_t rusage_rss(void)
{
    struct kinfo_proc process;
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, getpid()};
    size_t size = sizeof process;

    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return -errno;
    if (size != sizeof process || process.kp_pid != name[3])
        return -EINVAL;
    return (int64_t)process.kp_vm_rssize * getpagesize();
}

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
   process and to threads that have ended, kl_ru the counters of a thread, kl_uticks and kl_sticks its microseconds. A
   process that exits is not read, since exit1() in sys/kern/kern_exit.c adds the threads to kp_ru while they are still in
   the list. p_start, which is not derived from the time of the boot, does not move when the clock is set. */
static int rusage_process_read(int pid, int64_t *start, int64_t *rss, rusage_call *call)
{
    struct kinfo_proc *threads;
    struct rusage native;
    size_t count, i;
    int error = rusage_read_threads(pid, &threads, &count);

    if (error != 0)
        return error;
    native = threads->kp_ru;
    for (i = 0; i < count; i++) {
        const struct kinfo_lwp *thread = &threads[i].kp_lwp;

        rusage_add_microseconds(&native.ru_utime, thread->kl_uticks);
        rusage_add_microseconds(&native.ru_stime, thread->kl_sticks);
        native.ru_minflt += thread->kl_ru.ru_minflt;
        native.ru_majflt += thread->kl_ru.ru_majflt;
        native.ru_nswap += thread->kl_ru.ru_nswap;
        native.ru_inblock += thread->kl_ru.ru_inblock;
        native.ru_oublock += thread->kl_ru.ru_oublock;
        native.ru_msgsnd += thread->kl_ru.ru_msgsnd;
        native.ru_msgrcv += thread->kl_ru.ru_msgrcv;
        native.ru_nsignals += thread->kl_ru.ru_nsignals;
        native.ru_nvcsw += thread->kl_ru.ru_nvcsw;
        native.ru_nivcsw += thread->kl_ru.ru_nivcsw;
    }
    *start = (int64_t)threads->kp_start.tv_sec * 1000000 + threads->kp_start.tv_usec;
    *rss = (int64_t)threads->kp_vm_rssize * getpagesize();
    if (threads->kp_stat == SZOMB || threads->kp_flags & RUSAGE_EXITING)
        error = RUSAGE_NO_PROCESS;
    else
        rusage_convert(&native, call);
    free(threads);
    return error;
}

#include "dragonfly_tree.c"
