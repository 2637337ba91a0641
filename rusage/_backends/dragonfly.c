/* DragonFly BSD. */

#define RUSAGE_HAS_REAPER
#include "../_c/unix.c"
#include "../_c/kinfo.c"

#include <sys/kinfo.h>

/* P_WEXIT and P_PPWAIT in sys/proc.h, which programs cannot include. */
enum { RUSAGE_EXITING = 0x02000, RUSAGE_PARENT_WAITS = 0x00010 };

/* Add up the usage as getrusage(2) does, by calcru_proc() in sys/kern/kern_resource.c: kp_ru has
   what belongs to the process and to threads that have ended, kl_ru the counters of a thread,
   kl_uticks and kl_sticks its microseconds. */
static rusage_values rusage_sum_of_threads(const struct kinfo_proc *threads, int count)
{
    rusage_values values = rusage_values_of(&threads->kp_ru);
    int i;

    for (i = 0; i < count; i++) {
        const struct kinfo_lwp *thread = &threads[i].kp_lwp;

        values.utime += (int64_t)thread->kl_uticks;
        values.stime += (int64_t)thread->kl_sticks;
#define OMIT(name)
#define ADD(name) values.name += rusage_count(thread->kl_ru.ru_##name);
        RUSAGE_FIELDS(OMIT, OMIT, OMIT, ADD)
#undef OMIT
#undef ADD
    }
    return values;
}

/* The sysctl kern.proc.pid_lwp has a record for each thread. In sys/kern/kern_kinfo.c,
   fill_kinfo_proc() sets kp_vm_rssize, in pages, kp_start, the time of the start, which does not
   move when the clock is set, and kp_cru, the usage of the children that the process has waited
   for. Of a process that exits, the times are not read, since exit1() in sys/kern/kern_exit.c adds
   the threads to kp_ru while they are still in the list. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID | KERN_PROC_FLAG_LWP, pid}, count, exits;
    rusage_tree_state list = {NULL, 0};
    int error = rusage_sysctl_all(&list, name, 4, sizeof(struct kinfo_proc), &count);
    const struct kinfo_proc *threads = (const struct kinfo_proc *)(const void *)list.buffer;
    rusage_values values;

    if (error == 0 && (count == 0 || threads->kp_pid != pid))
        error = RUSAGE_NO_PROCESS;
    if (error != 0) {
        free(list.buffer);
        return error;
    }
    exits = threads->kp_stat == SZOMB || (threads->kp_flags & RUSAGE_EXITING) != 0;
    figures->state = exits ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    figures->parent = threads->kp_ppid;
    figures->shares_memory = (threads->kp_flags & RUSAGE_PARENT_WAITS) != 0;
    figures->start = rusage_microseconds(&threads->kp_start);
    figures->rss = (int64_t)threads->kp_vm_rssize * getpagesize();
    rusage_set_name(figures, threads->kp_comm, sizeof threads->kp_comm);
    values = rusage_values_of(&threads->kp_cru);
    figures->waited = rusage_quotient(values.utime + values.stime, RUSAGE_MICROSECONDS);
    values = rusage_sum_of_threads(threads, count);
    if (!exits)
        rusage_set_usage(figures, &values, RUSAGE_MICROSECONDS, call);
    free(list.buffer);
    return 0;
}

static int rusage_tree_list(rusage_tree *tree)
{
    int name[3] = {CTL_KERN, KERN_PROC, KERN_PROC_ALL};

    return rusage_list(tree, name, 3, sizeof(struct kinfo_proc),
                       offsetof(struct kinfo_proc, kp_pid), offsetof(struct kinfo_proc, kp_ppid));
}
