/* OpenBSD: the processes of a tree, by the records that FILL_KPROC() in sys/sys/sysctl.h writes. */

#define RUSAGE_KERN_PROC KERN_PROC
typedef struct kinfo_proc rusage_kinfo;

#include "../_c/tree_by_kinfo.c"

/* The boot, as in rusage_process_read(). */
static int rusage_tree_epoch(int64_t *epoch)
{
    return rusage_boottime(epoch);
}

static int64_t rusage_tree_now(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* vfork(2) copies the memory. */
static int rusage_is_vforked(const rusage_kinfo *process)
{
    (void)process;
    return 0;
}
