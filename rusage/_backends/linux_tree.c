/* Linux: the members of a tree, by proc(5) and pidfd_open(2). */

#include "linux_pss.c"
#include "linux_process_open.c"
#include "linux_tree_list.c"
#include "../_c/tree.c"

#include <sys/vfs.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

enum { PIDFS = 0x50494446 };        /* PID_FS_MAGIC in include/uapi/linux/magic.h, since Linux 6.9 */

static int rusage_is_own(int pid)
{
    return pid == getpid();
}

static void rusage_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Count files that stay open, or do not any more; return whether there may be as many. Trees may be read at the same time. */
static int rusage_keep_files(int count)
{
    int now = __atomic_add_fetch(&rusage_open_files, count, __ATOMIC_RELAXED);
    struct rlimit limit = {0, 0};

    if (count < 0
        || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && now <= MAX_OPEN_FILES && (rlim_t)now <= limit.rlim_cur / 4))
        return 1;
    __atomic_sub_fetch(&rusage_open_files, count, __ATOMIC_RELAXED);
    return 0;
}

/* cppcheck-suppress constParameterPointer; other systems write to it */
static void rusage_member_close(rusage_tree *tree, rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;

    (void)tree;

    if (!handle->is_open)
        return;
    if (handle->statm >= 0)
        rusage_keep_files(-FILES_OF_A_MEMBER);
    rusage_close_fd(&handle->directory);
    rusage_close_fd(&handle->stat);
    rusage_close_fd(&handle->statm);
    rusage_close_fd(&handle->children);
    rusage_close_fd(&handle->pidfd);
    handle->is_open = 0;
}

/* Read a short file from its beginning; `fd` is open, or the file is opened in the directory. */
static int rusage_member_text(const rusage_member *member, int fd, const char *name, char *text, size_t capacity)
{
    ssize_t size;

    if (fd < 0)
        return rusage_read_text(member->handle.directory, name, text, capacity);
    size = pread(fd, text, capacity - 1, 0);
    if (size < 0)
        return errno;
    text[size] = '\0';
    return 0;
}

/* Read the stat file. While a thread other than the first one executes a program, this may fail once with ESRCH. */
static int rusage_member_stat(const rusage_member *member, rusage_tree_stat *stat)
{
    char text[2048];
    int error = rusage_member_text(member, member->handle.stat, "stat", text, sizeof text);

    if (error == ESRCH)
        error = rusage_member_text(member, member->handle.stat, "stat", text, sizeof text);
    return error != 0 ? error : rusage_parse_tree_stat(text, stat);
}

static int rusage_is_zombie(const rusage_tree_stat *stat)
{
    return stat->field[THREADS] == 0 || (strchr("ZXx", stat->state) != NULL && stat->field[THREADS] == 1);
}

static void rusage_member_begin(rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;

    if (!handle->is_open)
        handle->directory = handle->stat = handle->statm = handle->children = handle->pidfd = -1;
    handle->is_open = 1;
}

/* Return the inode of a pidfd, which no other process has; 0 before Linux 6.9. */
static uint64_t rusage_inode_of(int pidfd)
{
    struct statfs system;
    struct stat file;

    return pidfd >= 0 && fstatfs(pidfd, &system) == 0 && system.f_type == PIDFS && fstat(pidfd, &file) == 0
               ? file.st_ino
               : 0;
}

/* The same of the process that has the member's number now. */
static uint64_t rusage_member_inode(const rusage_member *member)
{
    int pidfd = rusage_pidfd_open(member->pid);
    uint64_t inode = rusage_inode_of(pidfd);

    rusage_close_fd(&pidfd);
    return inode;
}

/* Open the directory, and the files of the first members. */
static int rusage_member_open(const rusage_tree *tree, rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;
    char children[32];
    int error;

    rusage_member_begin(member);
    if (handle->directory >= 0)
        return 0;
    handle->directory = rusage_open_directory(member->pid);
    if (handle->directory < 0) {
        error = -handle->directory;
        handle->directory = -1;
        return error;
    }
    if (tree->system.reads_one_by_one || member->state == RUSAGE_ZOMBIE || !rusage_keep_files(FILES_OF_A_MEMBER))
        return 0;
    snprintf(children, sizeof children, "task/%d/children", member->pid);
    handle->stat = rusage_proc_open(handle->directory, "stat", 0);
    handle->statm = rusage_proc_open(handle->directory, "statm", 0);
    if (tree->by_parent)
        handle->children = openat(handle->directory, children, O_RDONLY | O_CLOEXEC);   /* not opened: see its use */
    if (handle->stat >= 0 && handle->statm >= 0)
        return 0;
    rusage_keep_files(-FILES_OF_A_MEMBER);
    error = handle->stat < 0 ? -handle->stat : -handle->statm;
    rusage_close_fd(&handle->directory);
    rusage_close_fd(&handle->stat);
    rusage_close_fd(&handle->statm);
    rusage_close_fd(&handle->children);
    handle->stat = handle->statm = -1;
    return error;
}

/* --- Figures --- */

/* Return whether a process has no memory of its own, but uses its parent's, which is in the sum: between vfork(2) and exec, and
   after clone(2) with CLONE_VM. Where kcmp(2) is refused or missing this is unknown, and the memory counts twice. */
static int rusage_uses_parents_memory(const rusage_tree *tree, rusage_member *member, const rusage_tree_stat *stat)
{
    int parent = (int)stat->field[PARENT], state = rusage_state_of(tree, parent);

    if (state == RUSAGE_UNREAD)     /* its memory is in no sum */
        return 0;
    member->handle.has_memory = member->handle.has_memory || (stat->field[FLAGS] & FORK_NO_EXEC) == 0
                                || state != RUSAGE_LIVES
                                || syscall(SYS_kcmp, member->pid, parent, KCMP_MEMORY, 0, 0) != 0;
    return !member->handle.has_memory;
}

/* Return whether a process with a member's number and start has another parent than the member, whose parent lives. Two
   processes may have the same start, which is in ticks. */
static int rusage_is_anothers_child(const rusage_tree *tree, const rusage_member *member, const rusage_tree_stat *stat)
{
    int index = rusage_tree_find(tree, member->parent);
    const rusage_member *parent = index < 0 ? NULL : &tree->members[index];
    char path[32], text[2048];
    rusage_tree_stat now;

    if (parent == NULL || parent->state != RUSAGE_LIVES || (int)stat->field[PARENT] == member->parent)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", parent->pid);
    return rusage_read_text(AT_FDCWD, path, text, sizeof text) == 0 && rusage_parse_tree_stat(text, &now) == 0
           && now.field[START] == parent->start && !rusage_is_zombie(&now);
}

/* Get the resident set size in bytes. A process without memory is about to end, or only its first thread has ended. */
static int rusage_member_rss(rusage_member *member, const rusage_tree_stat *stat)
{
    char text[256];
    const char *second;
    int64_t sizes[2] = {0, 0};
    int error = rusage_member_text(member, member->handle.statm, "statm", text, sizeof text);

    if (error != 0)
        return error;
    second = strchr(text, ' ');
    if (second == NULL)
        return EIO;
    member->rss = strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
    if (member->rss == 0 && stat->field[THREADS] > 1
        && rusage_read_threads(member->handle.directory, "status", rusage_sizes, 2, sizes) == 0)
        member->rss = sizes[1] * 1024;
    return 0;
}

/* The clock of a process, as clock_getcpuclockid(3) computes it, without its system call. */
static int rusage_member_clock(rusage_member *member)
{
    struct timespec time;

    if (clock_gettime((clockid_t)((~(unsigned int)member->pid << 3) | 2), &time) != 0)
        return errno == EINVAL ? ESRCH : errno;
    member->last.own = rusage_quotient((int64_t)time.tv_sec * 1000000000 + time.tv_nsec, 1000000000);
    return 0;
}

/* Get the proportional set size; return whether it may be read. */
static int rusage_member_pss(rusage_member *member)
{
    int error;

    member->pss = 0;
    error = rusage_read_pss(member->handle.directory, &member->pss);
    return error != EACCES && error != EPERM;
}

/* Read the figures of a member whose directory is open. */
static int rusage_member_figures_of(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    rusage_tree_stat stat;
    double own = member->last.own, before;
    int ended, uses_parents, may_read = 1, error = rusage_member_clock(member), is_kept = member->handle.statm >= 0;

    before = member->last.own;
    if (!is_kept && member->start == 0)
        member->handle.inode = rusage_member_inode(member);
    if (error == 0)
        error = rusage_member_stat(member, &stat);
    if (error != 0) {
        member->last.own = own;
        return error;
    }
    if (member->start != 0 && (member->start != stat.field[START] || rusage_is_anothers_child(tree, member, &stat)))
        error = ESRCH;              /* another process with this number */
    ended = rusage_is_zombie(&stat);
    if (error == 0 && tree->by_parent)
        error = rusage_list_children(tree, member, stat.field[THREADS] > 1);
    if (error == 0)
        error = rusage_member_clock(member);
    uses_parents = error == 0 && rusage_uses_parents_memory(tree, member, &stat);
    if (error == 0 && wants_pss && !ended && !uses_parents)
        may_read = rusage_member_pss(member);
    /* Last: if the process has not been reaped now, its number was its own before. */
    if (error == 0)
        error = rusage_member_rss(member, &stat);
    if (error == 0 && !is_kept && member->handle.inode != 0 && rusage_member_inode(member) != member->handle.inode)
        error = ESRCH;
    if (error != 0) {
        member->last.own = own;
        return error;
    }
    if (uses_parents)
        member->rss = member->pss = 0;
    member->handle.own_before = before;
    member->handle.quick_readings = 0;
    member->start = stat.field[START];
    member->parent = (int)stat.field[PARENT];
    member->last.waited = rusage_quotient(stat.field[WAITED_UTIME] + stat.field[WAITED_STIME], sysconf(_SC_CLK_TCK));
    member->state = ended ? RUSAGE_ZOMBIE : may_read ? RUSAGE_LIVES : RUSAGE_UNREAD;
    return 0;
}

/* A member that may not be read has left if its number has, or if a pidfd of it shows the end. */
static int rusage_member_is_there(rusage_member *member)
{
    struct pollfd ended;

    rusage_member_begin(member);
    if (member->handle.pidfd < 0)
        member->handle.pidfd = rusage_pidfd_open(member->pid);
    if (member->handle.pidfd < 0)
        return kill(member->pid, 0) == 0 || errno == EPERM;
    ended.fd = member->handle.pidfd;
    ended.events = POLLIN;
    ended.revents = 0;
    return poll(&ended, 1, 0) <= 0;
}

/* Read only statm of a member that has not run since its last complete reading; return whether that was possible. Its CPU
   time, in nanoseconds, identifies the process, and shows that it has neither ended, nor started a child, nor waited for
   one. It may have adopted one; therefore every eighth reading is complete. This takes a quarter of the time. */
static int rusage_member_read_quickly(const rusage_tree *tree, rusage_member *member)
{
    int parent = rusage_tree_find(tree, member->parent), fd = member->handle.statm;
    double own = member->last.own;
    char path[32], text[256];
    const char *second;
    ssize_t size;

    if (tree->is_opening || member->state != RUSAGE_LIVES || !member->handle.has_memory || own <= 0
        || own != member->handle.own_before || member->handle.quick_readings >= 7
        || (parent >= 0 && tree->members[parent].state != RUSAGE_LIVES))    /* then it has another parent */
        return 0;
    if (fd < 0) {
        snprintf(path, sizeof path, "/proc/%d/statm", member->pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    size = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (fd >= 0 && fd != member->handle.statm)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    second = strchr(text, ' ');
    if (second == NULL || strtoll(second, NULL, 10) == 0 || rusage_member_clock(member) != 0
        || member->last.own != own) {
        member->last.own = own;
        return 0;
    }
    member->rss = strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
    member->handle.quick_readings++;
    return 1;
}

/* Close what is open of all members. */
static void rusage_tree_close_files(rusage_tree *tree)
{
    int i;

    tree->system.reads_one_by_one = 1;
    for (i = 0; i < tree->count; i++)
        rusage_member_close(tree, &tree->members[i]);
}

static int rusage_member_read_completely(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int listed = tree->listed_count, error = rusage_member_open(tree, member);

    if (error == 0)
        error = rusage_member_figures_of(tree, member, wants_pss);
    if (member->handle.statm < 0)
        rusage_close_fd(&member->handle.directory);
    if (error != 0)
        tree->listed_count = listed;
    return error;
}

static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int error;

    if (!wants_pss && rusage_member_read_quickly(tree, member))
        return 0;
    error = rusage_member_read_completely(tree, member, wants_pss);
    if ((error == EMFILE || error == ENFILE) && !tree->system.reads_one_by_one) {
        rusage_tree_close_files(tree);
        error = rusage_member_read_completely(tree, member, wants_pss);
    }
    if (error == 0) {
        rusage_close_fd(&member->handle.pidfd);
        if (member->state == RUSAGE_ZOMBIE)     /* it may stay for long */
            rusage_member_close(tree, member);
        return 0;
    }
    if (error == EACCES || error == EPERM) {
        member->state = rusage_member_is_there(member) ? RUSAGE_UNREAD : RUSAGE_GONE;
        return 0;
    }
    if (error != ESRCH && error != ENOENT)
        return error;
    member->state = RUSAGE_GONE;
    return 0;
}

/* --- Signals --- */

/* Return 0 if the process that has the member's number now is the member; `pidfd` is of that process, or -1. Where the
   files of the member are not open and no pidfd has an inode of its own, this is not certain: see
   rusage_is_anothers_child(). */
static int rusage_member_check(const rusage_tree *tree, rusage_member *member, int pidfd)
{
    rusage_tree_stat stat;
    int error;

    if (member->handle.inode != 0 && pidfd >= 0)
        return rusage_inode_of(pidfd) == member->handle.inode ? 0 : ESRCH;
    error = rusage_member_open(tree, member);
    if (error == 0)
        error = rusage_member_stat(member, &stat);
    if (member->handle.statm < 0)
        rusage_close_fd(&member->handle.directory);
    if (error == ENOENT
        || (error == 0 && (stat.field[START] != member->start || rusage_is_anothers_child(tree, member, &stat))))
        return ESRCH;
    return error;
}

/* Send a signal by a pidfd, or by the number where there is none or the kernel lacks the call. */
static int rusage_send_signal(int pid, int pidfd, int number)
{
    if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0)
        return 0;
    if (pidfd >= 0 && errno != ENOSYS)
        return errno;
    return kill(pid, number) != 0 ? errno : 0;
}

/* A pidfd refers to one process, so that the check counts for the signal too. */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    int pidfd = member->handle.pidfd, error = 0;

    if (pidfd < 0) {
        pidfd = rusage_pidfd_open(member->pid);
        if (pidfd < 0 && (errno == EMFILE || errno == ENFILE) && !tree->system.reads_one_by_one) {
            rusage_tree_close_files(tree);
            pidfd = rusage_pidfd_open(member->pid);
        }
        /* cppcheck-suppress knownConditionTrueFalse; on an old Android only */
        if (pidfd < 0 && errno != ENOSYS && errno != EPERM)
            return errno;
        error = rusage_member_check(tree, member, pidfd);
    }
    if (error == 0)
        error = rusage_send_signal(member->pid, pidfd, number);
    if (pidfd >= 0 && pidfd != member->handle.pidfd)
        close(pidfd);
    return error;
}
