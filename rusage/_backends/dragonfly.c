/* DragonFly BSD. */

#include "../_c/get.c"
#include "../_c/root_by_inode.c"
#include "../_c/native.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"
#include "../_c/rss.h"

#include <sys/kinfo.h>
#include <sys/sysctl.h>

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
