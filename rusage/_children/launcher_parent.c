/* Functions for the parent of the launcher (rusage/_children/launcher.py). */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../_backends/linux_proc.h"
#include "launcher_paths.c"
#include "launcher_protocol.cdef"

/* rusage_build.py builds the launcher first, and defines this for the extension. */
#ifndef RUSAGE_LAUNCHER_IS_STATIC
#define RUSAGE_LAUNCHER_IS_STATIC 0
#endif

static void rusage_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Called as soon as the launcher has the write end: a process that another thread forks would keep a copy. */
static void rusage_channel_close_write_end(rusage_channel *channel)
{
    rusage_close(&channel->write_end);
}

/* The open channels. The GIL protects the list too, where there is one. */
static rusage_channel *rusage_channels;
static pthread_mutex_t rusage_channels_lock = PTHREAD_MUTEX_INITIALIZER;

static void rusage_channel_close(rusage_channel *channel)
{
    if (channel->link == NULL)
        return;
    pthread_mutex_lock(&rusage_channels_lock);
    *channel->link = channel->next;
    if (channel->next != NULL)
        channel->next->link = channel->link;
    pthread_mutex_unlock(&rusage_channels_lock);
    channel->link = NULL;
    rusage_close(&channel->read_end);
    rusage_close(&channel->write_end);
    rusage_close(&channel->memory);
}

/* Called in a forked child, in which no thread starts a program. A child that changes its rights must not be able to
   write where its parent reads process IDs. */
static void rusage_channels_close(void)
{
    pthread_mutex_init(&rusage_channels_lock, NULL);    /* another thread may have held it */
    while (rusage_channels != NULL)
        rusage_channel_close(rusage_channels);
}

/* Move a descriptor above 2, so that it cannot become a standard stream of the child. Return 0 or an errno. */
static int rusage_move_above_2(int *fd)
{
    int low = *fd;

    if (low > 2)
        return 0;
    *fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
    if (*fd < 0) {
        *fd = low;
        return errno;
    }
    close(low);
    return 0;
}

/* Some versions since Linux 6.3 log a warning if MFD_NOEXEC_SEAL (linux/memfd.h) is missing; earlier ones reject it. */
static int rusage_create_memory(void)
{
    int fd = (int)syscall(SYS_memfd_create, "rusage", 1 /* MFD_CLOEXEC */ | 8 /* MFD_NOEXEC_SEAL */);

    return fd < 0 && errno == EINVAL ? (int)syscall(SYS_memfd_create, "rusage", 1 /* MFD_CLOEXEC */) : fd;
}

/* Return 0 if the file-system IDs of the calling thread (setfsuid(2), setfsgid(2)), which a new pipe has as its owner,
   are the effective IDs, or EPERM. Executing the launcher would reset them, and they decide what may be executed. */
static int rusage_has_own_fs_ids(int pipe)
{
    struct stat status;

    if (fstat(pipe, &status) != 0)
        return errno;
    return status.st_uid == geteuid() && status.st_gid == getegid() ? 0 : EPERM;
}

/* Return 0 if this process has no child with this ID, or for 0 no child at all; else, and if that is unknown, 1. */
static int rusage_is_child(int pid)
{
    siginfo_t info;

    return waitid(pid == 0 ? P_ALL : P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* Open all descriptors, close-on-exec and above 2. Return 0, or an errno with none of them open. */
static int rusage_channel_open(rusage_channel *channel)
{
    int ends[2], error;

    channel->read_end = channel->write_end = channel->memory = -1;
    pthread_mutex_lock(&rusage_channels_lock);
    channel->next = rusage_channels;
    channel->link = &rusage_channels;
    if (channel->next != NULL)
        channel->next->link = &channel->next;
    rusage_channels = channel;
    pthread_mutex_unlock(&rusage_channels_lock);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error = errno;
    } else {
        channel->read_end = ends[0];
        channel->write_end = ends[1];
        channel->memory = rusage_create_memory();
        error = channel->memory < 0 ? errno : rusage_has_own_fs_ids(ends[0]);
    }
    if (error == 0)
        error = rusage_move_above_2(&channel->read_end);
    if (error == 0)
        error = rusage_move_above_2(&channel->write_end);
    if (error == 0)
        error = rusage_move_above_2(&channel->memory);
    channel->has_children = rusage_is_child(0);
    if (error != 0)
        rusage_channel_close(channel);
    return error;
}

/* Return when a child of this process was started, in ticks of a clock of the kernel; -1 if that is unknown. */
static int64_t rusage_start_time(int pid)
{
    char path[32], text[2048];
    const char *end;
    int parent;
    long long start;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (rusage_check_proc() != 0 || rusage_read_text(AT_FDCWD, path, text, sizeof text) != 0)
        return -1;
    end = strrchr(text, ')');
    if (end == NULL
        || sscanf(end, ") %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld", &parent,
                  &start)
               != 2
        || parent != getpid())
        return -1;
    return start;
}

/* Not in headers older than Linux 5.9. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Return whether close_range(2) exists, by closing a descriptor that cannot be open. */
static int rusage_has_close_range(void)
{
    return syscall(SYS_close_range, UINT32_MAX, UINT32_MAX, 0) == 0;
}

/* Return 1 if a capability is in the ambient or in the bounding set, 0 if it is not, -1 if there is no such capability.
   Headers older than Linux 4.3 lack the constants for ambient capabilities (linux/prctl.h). */
static int rusage_has_capability(int capability, int ambient)
{
    if (ambient)
        return prctl(47 /* PR_CAP_AMBIENT */, 1 /* PR_CAP_AMBIENT_IS_SET */, (unsigned long)capability, 0, 0);
    return prctl(PR_CAPBSET_READ, (unsigned long)capability, 0, 0, 0);
}

/* Return whether a program without capabilities of its own has, after exec, exactly the capabilities of this process:
   "Transformation of capabilities during execve()" and "Capabilities and execution of programs by root" in
   capabilities(7). */
static int rusage_keeps_capabilities(int is_root)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
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
        has = rusage_has_capability(capability, !all);
        if (has < 0)
            break;
        after |= (uint64_t)has << capability;
    }
    if (all)
        after |= inheritable;
    return after == permitted && after == effective;
}

/* The launcher needs stack until its child has executed the program. Under this limit, and with the largest arguments
   that the kernel accepts (128 KiB, execve(2)), it has 128 KiB. */
#define RUSAGE_LEAST_STACK (256 * 1024)

/* Return whether the launcher can run: its file is still in the root directory of the calling thread, and there is
   memory for its stack. A root directory whose mount is unknown may be another one. */
static int rusage_can_launch(void)
{
    struct rlimit stack;

    return (rusage_first_root.mount != 0 || rusage_first_root.namespace != 0) && !rusage_root_changed()
           && getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur >= RUSAGE_LEAST_STACK;
}

/* Return whether the launcher can run, and has exactly the rights of this process. With fewer, a process that may not
   trace this one could trace the launcher, which handles trusted data (ptrace(2), "Ptrace access mode checking"). With
   more, the child could change its IDs where a child of subprocess cannot. */
static int rusage_may_launch(void)
{
    uid_t user, effective_user, saved_user;
    gid_t group, effective_group, saved_group;

    return rusage_can_launch() && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1
           && getresuid(&user, &effective_user, &saved_user) == 0 && user == effective_user && user == saved_user
           && getresgid(&group, &effective_group, &saved_group) == 0 && group == effective_group && group == saved_group
           && rusage_keeps_capabilities(user == 0);
}
