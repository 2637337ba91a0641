/* What the parent of the launcher needs (rusage/_launcher/start.py). */

#include "../_backends/linux/proc.h"
#include "protocol.cdef"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* --- The descriptors of a start --- */

/* Called as soon as the launcher has the write end: a process that another thread forks would keep
   a copy. */
static void rusage_channel_close_write_end(rusage_channel *channel)
{
    rusage_close_fd(&channel->write_end);
}

static void rusage_channel_close(rusage_channel *channel)
{
    rusage_close_fd(&channel->memory);
    rusage_close_fd(&channel->read_end);
    rusage_close_fd(&channel->write_end);
}

/* Move a descriptor above 2: it must not become a standard stream of the child, nor be replaced by
   one that a thread opens. Return 0 or an errno. */
static int rusage_move_above_2(int *fd)
{
    int low = *fd;

    if (low > 2)
        return 0;
    *fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
    close(low);
    return *fd < 0 ? errno : 0;
}

static int rusage_open_memory(void)
{
    const unsigned int flags = 1 /* MFD_CLOEXEC */ | 2 /* MFD_ALLOW_SEALING */;
    int fd = (int)syscall(SYS_memfd_create, "rusage", flags | 8 /* MFD_NOEXEC_SEAL */);

    /* Some versions since Linux 6.3 log a warning if the last flag is missing; earlier ones reject
       it. */
    return fd < 0 && errno == EINVAL ? (int)syscall(SYS_memfd_create, "rusage", flags) : fd;
}

/* Open all descriptors, close-on-exec and above 2. Return 0, or an errno with none of them open. */
static int rusage_channel_open(rusage_channel *channel)
{
    int ends[2], error;

    channel->memory = channel->read_end = channel->write_end = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    channel->read_end = ends[0];
    channel->write_end = ends[1];
    channel->memory = rusage_open_memory();
    error = channel->memory < 0 ? errno : rusage_move_above_2(&channel->memory);
    if (error == 0)
        error = rusage_move_above_2(&channel->read_end);
    if (error == 0)
        error = rusage_move_above_2(&channel->write_end);
    if (error != 0)
        rusage_channel_close(channel);
    return error;
}

/* Refuse the memory to a launcher that has not mapped it yet, which then creates no child. Return 0
   or an errno. */
static int rusage_channel_seal(const rusage_channel *channel)
{
    return fcntl(channel->memory, 1033 /* F_ADD_SEALS */, 8 /* F_SEAL_WRITE */) == 0 ? 0 : errno;
}

/* Return whether this thread has a child with this ID that has not been waited for; 1 if that is
   unknown. */
static int rusage_is_child(int pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0
           || errno != ECHILD;
}

/* --- Whether the launcher would run as the program would --- */

/* Not in headers older than Linux 5.9. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Return whether close_range(2) exists, by closing a descriptor that cannot be open. */
static int rusage_has_close_range(void)
{
    return syscall(SYS_close_range, UINT32_MAX, UINT32_MAX, 0) == 0;
}

/* Return whether the four user IDs and the four group IDs are the same. Executing the launcher
   would change the saved and the file-system IDs. setfsuid(2): an invalid argument changes
   nothing. */
static int rusage_has_one_user(void)
{
    uid_t user, effective_user, saved_user;
    gid_t group, effective_group, saved_group;

    return getresuid(&user, &effective_user, &saved_user) == 0 && user == effective_user
           && user == saved_user && getresgid(&group, &effective_group, &saved_group) == 0
           && group == effective_group && group == saved_group && (uid_t)setfsuid((uid_t)-1) == user
           && (gid_t)setfsgid((gid_t)-1) == group;
}

/* Return whether a program without capabilities of its own has, after exec, exactly the
   capabilities of this process: "Transformation of capabilities during execve()" and "Capabilities
   and execution of programs by root" in capabilities(7). */
static int rusage_keeps_capabilities(int is_root)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};  /* for valgrind */
    uint64_t permitted, effective, inheritable, after = 0;
    int capability, has, securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    int all = is_root && securebits >= 0 && !(securebits & 1 /* SECBIT_NOROOT */);

    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    if (!all && permitted == 0)     /* ambient capabilities are also permitted */
        return 1;
    for (capability = 0; capability < 64; capability++) {
        /* Headers older than Linux 4.3 lack the constants for ambient capabilities
           (linux/prctl.h). */
        has = all ? prctl(PR_CAPBSET_READ, (unsigned long)capability, 0, 0, 0)
                  : prctl(47 /* PR_CAP_AMBIENT */, 1 /* PR_CAP_AMBIENT_IS_SET */,
                          (unsigned long)capability, 0, 0);
        if (has < 0)                /* there is no such capability */
            break;
        after |= (uint64_t)has << capability;
    }
    if (all)
        after |= inheritable;
    return after == permitted && after == effective;
}

/* Return whether the children of the calling thread are in its own PID namespace. In a new one, the
   launcher would be the first process, which must not exit. A process never changes its own. */
static int rusage_has_one_namespace(void)
{
    static ino_t own;
    struct stat status;
    ino_t of_children;

    if (stat("/proc/thread-self/ns/pid_for_children", &status) != 0)
        return 0;
    of_children = status.st_ino;
    if (of_children != own && stat("/proc/thread-self/ns/pid", &status) == 0)
        own = status.st_ino;        /* this process may have been forked */
    return of_children == own;
}

static int rusage_has_text(const char *path)
{
    char first;
    int fd = open(path, O_RDONLY | O_CLOEXEC), has;

    if (fd < 0)
        return 0;
    has = read(fd, &first, 1) > 0;
    close(fd);
    return has;
}

/* Return whether a security label waits for the next exec, which would be the launcher's:
   setexeccon(3), aa_change_onexec(3). Where no security module has labels, no process has a current
   one. */
static int rusage_has_exec_label(void)
{
    static int has_labels = -1;

    if (has_labels < 0)
        has_labels = rusage_has_text("/proc/thread-self/attr/current");
    return has_labels && rusage_has_text("/proc/thread-self/attr/exec");
}

/* Return the soft limit, 0 if it is unknown. */
static rlim_t rusage_soft_limit(int resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : 0;
}

/* Return why the calling thread must start programs directly, or NULL if it may execute the
   launcher: the launcher must be the file that was installed, have exactly the rights of this
   process, and pass on to its child what a program inherits. With fewer rights than this process it
   could be traced by a process that may not trace this one (ptrace(2), "Ptrace access mode
   checking"). A root directory whose mount is unknown may be another one. */
static const char *rusage_why_direct(void)
{
    int persona;

    if ((rusage_first_root.mount == 0 && rusage_first_root.namespace == 0) || rusage_root_changed())
        return "the root directory or the mount namespace has changed, or is unknown";
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
        return "this process is not dumpable";
    if (!rusage_has_one_user())
        return "the real, effective, saved and file-system IDs differ";
    if (!rusage_keeps_capabilities(getuid() == 0))
        return "executing a program changes the capabilities";
    if (!rusage_has_one_namespace())
        return "children get another PID namespace, or /proc does not show it";
    if (rusage_has_exec_label())
        return "a security label waits for the next exec";
    /* The launcher's arguments may fill a quarter of its stack (execve(2)). */
    if (rusage_soft_limit(RLIMIT_STACK) < 256 * 1024)
        return "RLIMIT_STACK is less than 256 KiB";
    /* the signal would dump the launcher's core */
    if (rusage_soft_limit(RLIMIT_FSIZE) < sizeof(launcher_memory))
        return "RLIMIT_FSIZE is less than the 12 bytes that the launcher writes";
    persona = personality(0xffffffff);
    /* exec of a 64-bit program, as the launcher, clears it */
    if (persona != -1 && persona & READ_IMPLIES_EXEC)
        return "the personality has READ_IMPLIES_EXEC";
    return NULL;
}

/* --- Whether a path leads to the same file in another process --- */

/* Return whether a file or directory is in a /proc file system, or cannot be found. */
static int rusage_is_in_proc(const char *path)
{
    struct statfs system;

    return statfs(path, &system) != 0
           || system.f_type == 0x9fa0 /* PROC_SUPER_MAGIC of linux/magic.h */;
}
