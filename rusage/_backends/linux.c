/* Linux. */

#define RUSAGE_HAS_ROOT
#define RUSAGE_HAS_REAPER
#define RUSAGE_HAS_PEAK
#include "../_c/unix.c"
#include "linux/members.c"
#include "linux/memory.c"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

/* Return whether a signal is ignored. PyPy's signal.getsignal() does not report inherited
   dispositions. */
static int rusage_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int rusage_become_reaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 ? errno : 0;
}

/* --- The root directory --- */

/* The root directory and the mount namespace belong to a thread; /proc/self shows the first
   thread's. A bind mount of the root directory has the same device and inode, so the mount is
   compared too. */

/* The struct statx of linux/stat.h, which old headers lack: "mount" is stx_mnt_id. */
/* cppcheck-suppress-begin unusedStructMember; the kernel fills it */
typedef struct {
    uint32_t mask, other[7];
    uint64_t inode, more[11];
    uint32_t device_of_file[2], device_major, device_minor;
    uint64_t mount, rest[13];
} rusage_statx;
/* cppcheck-suppress-end unusedStructMember */

RUSAGE_ASSERT(statx, sizeof(rusage_statx) == 256 && offsetof(rusage_statx, mount) == 144);

enum {
    RUSAGE_STATX_INODE = 0x100,
    RUSAGE_STATX_MOUNT = 0x1000,        /* since Linux 5.8 */
    RUSAGE_STATX_MOUNT_UNIQUE = 0x4000, /* since Linux 6.8: never used again */
};

/* Identify the mount by its ID or, before Linux 5.8, by the namespace of the calling thread. What
   cannot be read is 0. */
static void rusage_read_root(rusage_root *root)
{
    rusage_statx extended;
    struct stat status;

    memset(root, 0, sizeof *root);
    memset(&extended, 0, sizeof extended);
#ifdef SYS_statx
    if (syscall(SYS_statx, AT_FDCWD, "/", 0,
                RUSAGE_STATX_INODE | RUSAGE_STATX_MOUNT | RUSAGE_STATX_MOUNT_UNIQUE, &extended)
            == 0
        && extended.mask & (RUSAGE_STATX_MOUNT | RUSAGE_STATX_MOUNT_UNIQUE)
        && extended.mount != 0) {
        root->device = (uint64_t)extended.device_major << 32 | extended.device_minor;
        root->inode = extended.inode;
        root->mount = extended.mount;
        return;
    }
#endif
    if (stat("/", &status) == 0) {
        root->device = (uint64_t)status.st_dev;
        root->inode = (uint64_t)status.st_ino;
    }
    if (stat("/proc/thread-self/ns/mnt", &status) == 0)
        root->namespace = (uint64_t)status.st_ino;
}
