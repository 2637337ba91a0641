/* What the parent of the launcher needs (rusage/_launcher/start.py). */

#include "../_backends/linux/proc.h"
#include "protocol.cdef"

#include <inttypes.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

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
    return error == 0 ? rusage_move_above_2(&channel->write_end) : error;
}

/* Of the descriptors that a start needs: p2cread to errwrite of subprocess, -1 for none; those that
   the program gets besides are behind them. */
enum { STDIN_READ, STDIN_WRITE, STDOUT_READ, STDOUT_WRITE, STDERR_READ, STDERR_WRITE, PIPES };

/* Open all descriptors, which are -1, close-on-exec and above 2. Return 0, or an errno with none of
   them open: EBADF if one of `needed` is closed, whose number they could get. */
static int rusage_channel_open(rusage_channel *channel, const int *needed, int count)
{
    int i, error;

    for (i = 0; i < count; i++) {
        if ((i >= PIPES || needed[i] != -1) && fcntl(needed[i], F_GETFD) < 0)
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

/* Give the launcher its descriptors, in subprocess's order. Return 0, or another value if a call
   has failed. */
static int rusage_pass_descriptors(const rusage_channel *channel, const int *needed, int count)
{
    int streams[3] = {needed[STDIN_READ], needed[STDOUT_WRITE], needed[STDERR_WRITE]};
    const int ends[3] = {needed[STDIN_WRITE], needed[STDOUT_READ], needed[STDERR_READ]};
    int i, failed = fcntl(channel->memory, F_SETFD, 0) | fcntl(channel->write_end, F_SETFD, 0);

    for (i = PIPES; i < count; i++)
        failed |= fcntl(needed[i], F_SETFD, 0);
    for (i = 0; i < 3; i++)
        failed |= ends[i] >= 0 && close(ends[i]) != 0;
    for (i = 0; i < 3; i++) {
        if (streams[i] >= 0 && streams[i] < i) { /* dup2() for another stream would replace it */
            streams[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, 3);
            failed |= streams[i] < 0;
        }
    }
    for (i = 0; i < 3; i++) {
        if (streams[i] == i)            /* dup2() would not clear the flag */
            failed |= fcntl(i, F_SETFD, 0);
        else if (streams[i] >= 0)
            failed |= dup2(streams[i], i) < 0;
    }
    return failed;
}

/* Return the exit status of a process that could not execute the launcher. */
static int rusage_exec_status(int error)
{
    switch (error) {
    case ENOENT:                        /* it is being reinstalled, or refused */
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case ENOSYS:
        return LAUNCHER_REFUSED;
    default:
        return LAUNCHER_FAILED;
    }
}

/* Start the launcher, which `arguments[0]` names, and store its process ID; nothing in a process
   that a signal handler has forked. `environment`: NULL for this process's. Return 0, or an errno
   with nothing started.

   The child of vfork(2) shares the memory, where no handler of a signal may run: all are blocked
   until the launcher sets the signal mask, which becomes `arguments[2]`. */
static int rusage_launch(rusage_channel *channel, char **arguments, char **environment,
                         const int *needed, int count, int restores_signals)
{
    uint64_t bits[2] = {0, 0};
    sigset_t all, before;
    int error;
    pid_t pid;

    if (!rusage_channel_is_open(channel))
        return 0;
    sigfillset(&all);
    error = pthread_sigmask(SIG_BLOCK, &all, &before);
    if (error != 0)
        return error;
    memcpy(bits, &before, _NSIG / 8);   /* 128 signals on MIPS, otherwise 64 */
    snprintf(channel->mask, sizeof channel->mask, "%" PRIu64 " %" PRIu64, bits[0], bits[1]);
    arguments[2] = channel->mask;
    pid = vfork();
    if (pid == 0) {
        if (rusage_pass_descriptors(channel, needed, count) != 0)
            _exit(LAUNCHER_FAILED);
        if (restores_signals) {         /* which Python ignores */
            signal(SIGPIPE, SIG_DFL);
            signal(SIGXFSZ, SIG_DFL);
        }
        execve(arguments[0], arguments, environment == NULL ? environ : environment);
        _exit(rusage_exec_status(errno));
    }
    error = pid < 0 ? errno : 0;
    if (pid > 0)
        channel->launcher = pid;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Wait until no process has a write end of the pipe, to which nothing is written. Return 0 or an
   errno. */
static int rusage_wait_for_end(const rusage_channel *channel)
{
    char nothing;
    ssize_t size;
    int error;
    RUSAGE_RELEASE_GIL;

    do {
        size = read(channel->read_end, &nothing, 1);
    } while (size > 0);
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
    /* Two calls: if one is refused, the child would be left without a process that waits for it.
       pread first: a process forked by C code may have read, and shares the offset. */
    if (pread(channel->memory, &memory, sizeof memory, 0) < 0
        && read(channel->memory, &memory, sizeof memory) < 0)
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
    int error, status;

    rusage_lock_channels();
    error = channel->write_end >= 0 && close(channel->write_end) != 0 && errno != EINTR ? errno : 0;
    channel->write_end = -1;
    rusage_unlock_channels();
    if (!rusage_channel_is_open(channel))
        return 0;
    if (error == 0)
        error = rusage_wait_for_end(channel);
    if (error == 0 && !channel->has_ended) {
        error = rusage_wait(channel->launcher, &channel->status);
        channel->has_ended = error == 0;
    }
    if (error != 0)
        return error;
    rusage_read_channel(channel);
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
