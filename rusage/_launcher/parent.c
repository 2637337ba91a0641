/* What the parent of the launcher needs (rusage/_launcher/start.py). */

#include "../_backends/linux/proc.h"
#include "protocol.cdef"

#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* --- The descriptors of a start --- */

/* Those of all threads. */
static rusage_channel *rusage_channels;
/* Held while the list or a descriptor changes, and during each fork(3): in a child, exactly what is
   open is in the list. */
static pthread_mutex_t rusage_channels_lock = PTHREAD_MUTEX_INITIALIZER;

static void rusage_lock_channels(void)
{
    pthread_mutex_lock(&rusage_channels_lock);
}

static void rusage_unlock_channels(void)
{
    pthread_mutex_unlock(&rusage_channels_lock);
}

/* Return 0 or an errno. Called once. */
static int rusage_channels_init(void)
{
    return pthread_atfork(rusage_lock_channels, rusage_unlock_channels, rusage_unlock_channels);
}

static void rusage_close_channel_locked(rusage_channel *channel)
{
    rusage_channel **at = &rusage_channels;

    while (*at != NULL && *at != channel)
        at = &(*at)->next;
    if (*at != NULL)
        *at = channel->next;
    rusage_close_fd(&channel->memory);
    rusage_close_fd(&channel->read_end);
    rusage_close_fd(&channel->write_end);
    rusage_close_fd(&channel->error_end);
}

/* Called by os.fork() in the child. It may change its rights, and must not be able to write to the
   memory; as long as it had the pipe, the start would last. */
static void rusage_channels_close(void)
{
    rusage_lock_channels();
    while (rusage_channels != NULL)
        rusage_close_channel_locked(rusage_channels);
    rusage_unlock_channels();
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
    const unsigned int flags = 1 /* MFD_CLOEXEC */;
    int fd = (int)syscall(SYS_memfd_create, "rusage", flags | 8 /* MFD_NOEXEC_SEAL */);

    /* Some versions since Linux 6.3 log a warning if the last flag is missing; earlier ones reject
       it. */
    return fd < 0 && errno == EINVAL ? (int)syscall(SYS_memfd_create, "rusage", flags) : fd;
}

static int rusage_open_descriptors(rusage_channel *channel)
{
    char nothing;
    int ends[2], error;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    channel->read_end = ends[0];
    channel->write_end = ends[1];
    channel->memory = rusage_open_memory();
    /* Where a sandbox refuses to read, that must be known before a program runs. */
    if (channel->memory < 0 || read(channel->memory, &nothing, 1) < 0)
        return errno;
    error = rusage_move_above_2(&channel->memory);
    if (error == 0)
        error = rusage_move_above_2(&channel->read_end);
    if (error == 0)
        error = rusage_move_above_2(&channel->write_end);
    if (error != 0)
        return error;
    channel->error_end = fcntl(channel->write_end, F_DUPFD_CLOEXEC, 3);
    return channel->error_end < 0 ? errno : 0;
}

/* Open all descriptors, close-on-exec and above 2. Return 0, or an errno with none of them open:
   EBADF if one of `needed` is closed, whose number they could get. */
static int rusage_channel_open(rusage_channel *channel, const int *needed, int count)
{
    int i, error;

    channel->memory = channel->read_end = channel->write_end = channel->error_end = -1;
    for (i = 0; i < count; i++) {
        if (fcntl(needed[i], F_GETFD) < 0)
            return errno;
    }
    rusage_lock_channels();
    channel->next = rusage_channels;
    rusage_channels = channel;
    error = rusage_open_descriptors(channel);
    if (error != 0)
        rusage_close_channel_locked(channel);
    rusage_unlock_channels();
    return error;
}

/* Return whether the descriptors are open: not in a process that a signal handler has forked. */
static int rusage_channel_is_open(const rusage_channel *channel)
{
    return channel->memory >= 0;
}

static void rusage_channel_close(rusage_channel *channel)
{
    rusage_lock_channels();
    rusage_close_channel_locked(channel);
    rusage_unlock_channels();
}

/* --- The launcher and its child --- */

/* Return whether this thread has a child with this ID that has not been waited for; 1 if that is
   unknown. */
static int rusage_is_child(int pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0
           || errno != ECHILD;
}

/* Wait for a child as waitpid(2) does. Return 0, with the status -1 if another caller has waited
   for it; EINTR if a signal handler is to run; or an errno. */
static int rusage_wait(int pid, int *status)
{
    int error;
    RUSAGE_RELEASE_GIL;

    error = waitpid(pid, status, 0) < 0 ? errno : 0;
    RUSAGE_RETAKE_GIL;
    if (error == ECHILD)
        *status = -1;
    return error == ECHILD ? 0 : error;
}

/* Close an end of the pipe. Return 0 or an errno. */
static int rusage_close_end(int *fd)
{
    int error = *fd >= 0 && close(*fd) != 0 ? errno : 0;

    *fd = -1;
    return error == EINTR ? 0 : error;  /* close(2) */
}

/* Read from the pipe until no process has a write end any more. Return 0 or an errno. */
static int rusage_read_to_end(rusage_channel *channel)
{
    const size_t last = sizeof channel->message - 1;
    char *message = channel->message;
    ssize_t size;
    int error;
    RUSAGE_RELEASE_GIL;

    while ((size = read(channel->read_end, message + channel->size, last - channel->size)) > 0)
        channel->size += (size_t)size;
    error = size < 0 ? errno : 0;
    RUSAGE_RETAKE_GIL;
    return error;
}

/* Read what the launcher and its child have written, if anything, when the launcher has ended. */
static void rusage_read_channel(rusage_channel *channel)
{
    launcher_memory memory = {0, 0, 0};

    if (channel->is_read)
        return;
    /* Two calls: if one is refused, the child would be left without a process that waits for it. */
    if (read(channel->memory, &memory, sizeof memory) < 0
        && pread(channel->memory, &memory, sizeof memory, 0) < 0)
        memory.child = -1;
    channel->is_read = 1;
    channel->child = memory.child;
    channel->has_run = memory.launcher != 0;
    channel->has_failed = memory.failed != 0;
}

/* Wait until the child has executed the program or has failed, and the launcher has ended. Then set
   what the start has come to. Return 0; EINTR if signal handlers are to run first; or an errno. */
static int rusage_channel_wait(rusage_channel *channel)
{
    unsigned int exec_error;
    int end = 0, error, error_of_end, status;

    rusage_lock_channels();
    error = rusage_close_end(&channel->write_end);
    error_of_end = rusage_close_end(&channel->error_end);
    rusage_unlock_channels();
    if (!rusage_channel_is_open(channel))
        return 0;
    if (error == 0)
        error = error_of_end;
    if (error == 0)
        error = rusage_read_to_end(channel);
    if (error == 0 && !channel->has_ended) {
        error = rusage_wait(channel->launcher, &channel->status);
        channel->has_ended = error == 0;
    }
    if (error != 0)
        return error;
    rusage_read_channel(channel);
    /* _posixsubprocess.c: the exception, errno, and where, unless it is exec that has failed. */
    if (sscanf(channel->message, "OSError:%x:%n", &exec_error, &end) == 1 && end > 0
        && channel->message[end] == '\0')
        channel->exec_error = (int)exec_error;
    return channel->has_failed ? rusage_wait(channel->child, &status) : 0;
}

/* Kill a child of this process and reap it. */
static void rusage_end_child(int pid)
{
    int status;
    RUSAGE_RELEASE_GIL;

    /* Check first: if the child has been reaped, another process may have its PID. */
    if (pid > 0 && waitpid(pid, &status, WNOHANG) == 0 && kill(pid, SIGKILL) == 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    RUSAGE_RETAKE_GIL;
}

/* End a start that is not closed, where an exception passes. Does nothing in a process that a
   signal handler has forked. */
static void rusage_channel_abort(rusage_channel *channel)
{
    if (rusage_channel_is_open(channel) && channel->launcher > 0) {
        if (!channel->has_ended)
            rusage_end_child(channel->launcher);
        rusage_read_channel(channel);
        if (channel->child > 0 && rusage_is_child(channel->child))
            rusage_end_child(channel->child);
    }
    rusage_channel_close(channel);
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

/* Return whether a file can be read and is not empty; -1 if no file can be opened now. */
static int rusage_has_text(const char *path)
{
    char first;
    int fd = open(path, O_RDONLY | O_CLOEXEC), has;

    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
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
    return has_labels != 0 && rusage_has_text("/proc/thread-self/attr/exec") != 0;
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

/* --- The file of a program --- */

/* Return whether a file or directory is in a /proc file system, or cannot be found. */
static int rusage_is_in_proc(const char *path)
{
    struct statfs system;

    return statfs(path, &system) != 0
           || system.f_type == 0x9fa0 /* PROC_SUPER_MAGIC of linux/magic.h */;
}

RUSAGE_ASSERT(path, sizeof(rusage_path) == PATH_MAX);

/* Set `joined` to a path that is followed from a directory, "" for the current one. Return 0 or an
   errno. */
static int rusage_join_paths(char *joined, const char *directory, const char *path)
{
    size_t length = path[0] == '/' ? 0 : strlen(directory);
    const char *separator = length == 0 || directory[length - 1] == '/' ? "" : "/";
    int size = snprintf(joined, PATH_MAX, "%.*s%s%s", (int)length, directory, separator, path);

    return size < 0 || size >= PATH_MAX ? ENAMETOOLONG : 0;
}

/* More than a small stack of a thread has room for. */
typedef struct {
    char folder[PATH_MAX], path[PATH_MAX];
    char reached[PATH_MAX], left[PATH_MAX], following[PATH_MAX], target[PATH_MAX], rest[PATH_MAX];
} rusage_search;

/* Return 0 if a path leads to the same file in another process, else an errno: ELOOP if it leads
   through a link in /proc. Such a link depends on the process that follows it ("magic links" in
   symlink(7)): the launcher's child would follow /dev/fd/3 to its own file. */
static int rusage_check_links(rusage_search *search, const char *path)
{
    char *reached = search->reached, *left = search->left, *rest = search->rest;
    int links = 0, error = rusage_join_paths(left, "", path);

    strcpy(reached, left[0] == '/' ? "/" : "");
    while (error == 0 && left[0] != '\0') {
        size_t start = strspn(left, "/"), end = start + strcspn(left + start, "/");
        ssize_t size;

        strcpy(rest, left + end + strspn(left + end, "/"));
        left[end] = '\0';
        error = rusage_join_paths(search->following, reached, left + start);
        if (error != 0)
            break;
        size = readlink(search->following, search->target, sizeof search->target - 1);
        if (size < 0 && errno != EINVAL)
            return errno;
        if (size < 0) {                 /* not a link */
            strcpy(reached, search->following);
            strcpy(left, rest);
            continue;
        }
        if (++links > 40 || rusage_is_in_proc(reached[0] == '\0' ? "." : reached))
            return ELOOP;               /* path_resolution(7) */
        search->target[size] = '\0';
        if (search->target[0] == '/')
            strcpy(reached, "/");
        error = rest[0] == '\0' ? rusage_join_paths(left, "", search->target)
                                : rusage_join_paths(left, search->target, rest);
    }
    return error;
}

/* Look for a program in folders, which are separated by colons, as a process does whose current
   directory is `directory`. Set `found` to the first path that exists, which is the one that
   subprocess tries first. Return 0, or an errno if there is none or if it may lead elsewhere in
   another process. */
static int rusage_find_program(const char *name, const char *folders, const char *directory,
                               rusage_path *found)
{
    rusage_search *search = malloc(sizeof *search);
    int error = search == NULL ? ENOMEM : ENOENT;
    RUSAGE_RELEASE_GIL;

    if (directory[0] != '\0' && rusage_is_in_proc(directory))
        error = ELOOP;
    while (error == ENOENT) {
        size_t length = strcspn(folders, ":");

        /* what is too long does not exist */
        if (length < sizeof search->folder) {
            memcpy(search->folder, folders, length);
            search->folder[length] = '\0';
            if (rusage_join_paths(found->text, search->folder, name) == 0
                && rusage_join_paths(search->path, directory, found->text) == 0
                && access(search->path, F_OK) == 0) {
                error = rusage_check_links(search, search->path);
                break;
            }
        }
        if (folders[length] == '\0')
            break;
        folders += length + 1;
    }
    RUSAGE_RETAKE_GIL;
    free(search);
    return error;
}
