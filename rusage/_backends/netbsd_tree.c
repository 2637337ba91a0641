/* NetBSD: the processes of a tree, by the records that fill_kproc2() in sys/kern/kern_proc.c writes. */

#define RUSAGE_KERN_PROC KERN_PROC2
typedef struct kinfo_proc2 rusage_kinfo;

#include "../_c/tree_by_kinfo.c"

/* p_ustart_sec is the time of the start. */
static int rusage_tree_epoch(int64_t *epoch)
{
    *epoch = 0;
    return 0;
}

static int64_t rusage_tree_now(void)
{
    struct timeval now = {0, 0};

    gettimeofday(&now, NULL);
    return rusage_microseconds(&now);
}

static int rusage_is_vforked(const rusage_kinfo *process)
{
    return (process->p_flag & P_PPWAIT) != 0;
}
