/* Linux: the members of a tree, by proc(5) and pidfd_open(2). */

#include "process.c"
#include "list.c"
#include "../../_c/tree.c"

#include <sys/vfs.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* Of all trees. A tree of 100 idle processes takes 130 us with open files and 450 without, but
   descriptors are for the program: no more than a quarter of the limit, and 256, stay open. */
static int rusage_open_files;

/* Open a file that stays open, if there may be one more; return its descriptor or -1. Trees may be
   read at the same time. */
static int rusage_keep_open(int directory, const char *path, int flags)
{
    int fd = -1, count = __atomic_add_fetch(&rusage_open_files, 1, __ATOMIC_RELAXED);
    struct rlimit limit = {0, 0};

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && count <= 256
        && (rlim_t)count <= limit.rlim_cur / 4)
        fd = openat(directory, path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        __atomic_sub_fetch(&rusage_open_files, 1, __ATOMIC_RELAXED);
    return fd;
}

static void rusage_close_kept(int *fd)
{
    if (*fd >= 0)
        __atomic_sub_fetch(&rusage_open_files, 1, __ATOMIC_RELAXED);
    rusage_close_fd(fd);
}

static void rusage_member_close(rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;

    if (!handle->is_open)
        return;
    rusage_close_fd(&handle->directory);
    rusage_close_kept(&handle->statm);
    rusage_close_fd(&handle->pidfd);
    handle->is_open = 0;
}

/* Read the stat file. While a thread other than the first one executes a program, this may fail
   once with ESRCH. */
static int rusage_member_stat(const rusage_member *member, rusage_stat *stat)
{
    int error = rusage_read_stat(member->handle.directory, stat);

    return error == ESRCH ? rusage_read_stat(member->handle.directory, stat) : error;
}

/* Get the resident set size in pages, by the open file or another one. */
static int rusage_member_pages(const rusage_member *member, int64_t *pages)
{
    const rusage_member_handle *handle = &member->handle;
    char text[256];
    ssize_t size;

    if (handle->statm < 0) {
        snprintf(text, sizeof text, "/proc/%d/statm", member->pid);
        return rusage_read_statm(handle->directory, handle->directory < 0 ? text : "statm", pages);
    }
    size = pread(handle->statm, text, sizeof text - 1, 0);
    if (size < 0)
        return errno;
    text[size] = '\0';
    return rusage_parse_statm(text, pages);
}

static void rusage_member_begin(rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;

    if (!handle->is_open)
        handle->directory = handle->statm = handle->pidfd = -1;
    handle->is_open = 1;
}

/* Return the inode of a pidfd, which no other process has; 0 before Linux 6.9. */
static uint64_t rusage_inode_of(int pidfd)
{
    struct statfs system;
    struct stat file;
    int has_inode = pidfd >= 0 && fstatfs(pidfd, &system) == 0
                    && system.f_type == 0x50494446 /* PID_FS_MAGIC of linux/magic.h */;

    return has_inode && fstat(pidfd, &file) == 0 ? file.st_ino : 0;
}

/* The same of the process that has the member's number now. */
static uint64_t rusage_member_inode(const rusage_member *member)
{
    int pidfd = rusage_pidfd_open(member->pid);
    uint64_t inode = rusage_inode_of(pidfd);

    rusage_close_fd(&pidfd);
    return inode;
}

/* Open the directory for a reading, and the file that stays open. */
static int rusage_member_open(const rusage_tree *tree, rusage_member *member)
{
    rusage_member_handle *handle = &member->handle;

    rusage_member_begin(member);
    handle->directory = rusage_open_directory(member->pid);
    if (handle->directory < 0)
        return -handle->directory;
    if (handle->statm < 0 && !tree->system.reads_one_by_one && member->now.state != RUSAGE_ZOMBIE)
        handle->statm = rusage_keep_open(handle->directory, "statm", 0);
    return 0;
}

/* Read the stat file only, of the process that has the member's number now. */
static int rusage_member_look(const rusage_tree *tree, rusage_member *member, rusage_stat *stat)
{
    int error = rusage_member_open(tree, member);

    if (error == 0)
        error = rusage_member_stat(member, stat);
    rusage_close_fd(&member->handle.directory);
    return error == ENOENT ? ESRCH : error;
}

/* --- Figures --- */

/* Return whether a process has no memory of its own, but uses its parent's, which is in the sum:
   between vfork(2) and exec, and after clone(2) with CLONE_VM. Where kcmp(2) is refused or missing
   this is unknown, and the memory counts twice. */
static int rusage_uses_parents_memory(const rusage_tree *tree, rusage_member *member,
                                      const rusage_stat *stat)
{
    int parent = (int)stat->field[STAT_PARENT], state = rusage_state_of(tree, parent), directory;
    int has_executed = (stat->field[STAT_FLAGS] & 0x40 /* PF_FORKNOEXEC */) == 0;

    if (state == RUSAGE_UNREAD)     /* its memory is in no sum */
        return 0;
    if (has_executed || state != RUSAGE_LIVES)
        member->handle.has_memory = 1;
    else if (!member->handle.has_memory) {
        directory = rusage_open_directory(parent);
        if (directory < 0)
            return 0;
        member->handle.has_memory =
            !rusage_have_same_memory(member->pid, member->handle.directory, parent, directory);
        close(directory);
    }
    return !member->handle.has_memory;
}

/* Return whether a process with a member's number has another start or, since that is in ticks,
   another parent than the member, whose parent lives. */
static int rusage_is_another(rusage_tree *tree, const rusage_member *member,
                             const rusage_stat *stat)
{
    int index;

    if (stat->field[STAT_STARTED] != member->now.start)
        return 1;
    if ((int)stat->field[STAT_PARENT] == member->now.parent)
        return 0;
    index = rusage_tree_find(tree, member->now.parent);
    return index >= 0 && tree->members[index].now.state == RUSAGE_LIVES
           && rusage_member_lives(tree, &tree->members[index]);
}

/* Get the resident set size in bytes. A process without memory is about to end, or only its first
   thread has ended. */
static int rusage_member_rss(const rusage_member *member, const rusage_stat *stat, int64_t *rss)
{
    int64_t size = 0, pages = 0;    /* KiB */
    int error = rusage_member_pages(member, &pages);

    if (error == 0 && pages == 0 && stat->field[STAT_THREADS] > 1)
        rusage_read_threads(member->handle.directory, "status", "\nVmRSS:", &size);
    *rss = pages * sysconf(_SC_PAGESIZE) + size * 1024;
    return error;
}

/* Return whether another process has the member's number now, where inodes show that. */
static int rusage_is_replaced(const rusage_member *member)
{
    return member->handle.inode != 0 && rusage_member_inode(member) != member->handle.inode;
}

/* Read the figures of a member whose directory is open. */
static int rusage_member_figures_of(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    rusage_figures now = member->now;
    rusage_stat stat;
    int is_kept = member->handle.statm >= 0, uses_parents, error;

    if (member->is_new)
        member->handle.inode = rusage_member_inode(member);
    error = rusage_read_clock(member->pid, &now.own);
    if (error == 0)
        error = rusage_member_stat(member, &stat);
    if (error == 0 && !member->is_new && rusage_is_another(tree, member, &stat))
        error = ESRCH;
    if (error == 0 && tree->system.by_parent)
        error = rusage_list_children(tree, member, stat.field[STAT_THREADS] > 1);
    if (error != 0)
        return error;
    now.start = stat.field[STAT_STARTED];
    now.parent = (int)stat.field[STAT_PARENT];
    now.waited = rusage_stat_seconds(&stat, STAT_WAITED_UTIME, STAT_WAITED_STIME);
    now.state = rusage_has_ended(&stat) ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    uses_parents = rusage_uses_parents_memory(tree, member, &stat);
    now.pss = 0;
    if (wants_pss && now.state == RUSAGE_LIVES && !uses_parents) {
        int refused =
            rusage_read_memory(member->handle.directory, "smaps_rollup", "\nPss:", &now.pss);

        now.pss *= 1024;            /* KiB */
        if (refused == EACCES || refused == EPERM)
            now.state = RUSAGE_UNREAD;
    }
    /* Last: if the process has not been reaped now, its number was its own before. */
    error = rusage_member_rss(member, &stat, &now.rss);
    if (error == 0 && !is_kept && rusage_is_replaced(member))
        error = ESRCH;
    if (error != 0)
        return error;
    if (uses_parents)
        now.rss = 0;
    member->now = now;
    member->handle.quick_readings = 0;
    return 0;
}

/* A member that may not be read has left if its number has, or if a pidfd of it shows the end. */
static int rusage_member_is_there(rusage_member *member)
{
    rusage_member_begin(member);
    if (member->handle.pidfd < 0)
        member->handle.pidfd = rusage_pidfd_open(member->pid);
    if (member->handle.pidfd < 0)
        return kill(member->pid, 0) == 0 || errno == EPERM;
    return rusage_check_pidfd(member->handle.pidfd) != RUSAGE_NO_PROCESS;
}

/* Read only statm of a member that has not run since its last complete reading; return whether that
   was possible. Its CPU time, in nanoseconds, identifies the process, and shows that it has neither
   ended, nor started a child, nor waited for one. It may have adopted one; therefore every eighth
   reading is complete. 100 idle processes take 130 us so, and 1900 without. */
static int rusage_member_read_quickly(const rusage_tree *tree, rusage_member *member)
{
    int parent = rusage_tree_find(tree, member->now.parent);
    /* after the end of its parent it has another one */
    int keeps_parent = parent < 0 || tree->members[parent].now.state == RUSAGE_LIVES;
    int may_be_idle = tree->is_anchored && member->now.state == RUSAGE_LIVES && member->now.own > 0
                      && member->handle.has_memory;
    int64_t pages = 0;
    double own = 0;

    if (!may_be_idle || !keeps_parent || member->handle.quick_readings >= 7)
        return 0;
    if (rusage_member_pages(member, &pages) != 0 || pages == 0)
        return 0;
    if (rusage_read_clock(member->pid, &own) != 0 || own != member->now.own)
        return 0;
    member->now.rss = pages * sysconf(_SC_PAGESIZE);
    member->handle.quick_readings++;
    return 1;
}

/* Close what is open of all members, and what kept descriptors free for the readings. */
static void rusage_tree_close_files(rusage_tree *tree)
{
    int i;

    tree->system.reads_one_by_one = 1;
    for (i = 0; i < 2; i++)
        rusage_close_kept(&tree->system.spare[i]);
    for (i = 0; i < tree->count; i++)
        rusage_member_close(&tree->members[i]);
}

/* Do so if an error says that no descriptor is free; return whether to try again. */
static int rusage_tree_frees_files(rusage_tree *tree, int error)
{
    if ((error != EMFILE && error != ENFILE) || tree->system.reads_one_by_one)
        return 0;
    rusage_tree_close_files(tree);
    return 1;
}

static int rusage_member_read_completely(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int error = rusage_member_open(tree, member);

    if (error == 0)
        error = rusage_member_figures_of(tree, member, wants_pss);
    rusage_close_fd(&member->handle.directory);
    return error;
}

static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int error, is_refused;

    if (!wants_pss && rusage_member_read_quickly(tree, member))
        return 0;
    error = rusage_member_read_completely(tree, member, wants_pss);
    if (rusage_tree_frees_files(tree, error))
        error = rusage_member_read_completely(tree, member, wants_pss);
    is_refused = error == EACCES || error == EPERM;
    if (is_refused && rusage_member_is_there(member))
        member->now.state = RUSAGE_UNREAD;
    else if (is_refused || error == ESRCH || error == ENOENT)
        member->now.state = RUSAGE_GONE;
    else if (error != 0)
        return error;
    else if (member->now.state == RUSAGE_ZOMBIE)
        rusage_member_close(member); /* it may stay for long */
    return 0;
}

/* --- Signals --- */

static int rusage_member_lives(rusage_tree *tree, rusage_member *member)
{
    rusage_stat stat;

    return rusage_member_look(tree, member, &stat) == 0 && !rusage_has_ended(&stat)
           && stat.field[STAT_STARTED] == member->now.start;
}

/* Return 0 if the process that has the member's number now is the member; `pidfd` is of that
   process, or -1. Where the files of the member are not open and no pidfd has an inode of its own,
   this is not certain: see rusage_is_another(). */
static int rusage_member_check(rusage_tree *tree, rusage_member *member, int pidfd)
{
    rusage_stat stat;
    int error;

    if (member->handle.inode != 0 && pidfd >= 0)
        return rusage_inode_of(pidfd) == member->handle.inode ? 0 : ESRCH;
    error = rusage_member_look(tree, member, &stat);
    return error == 0 && rusage_is_another(tree, member, &stat) ? ESRCH : error;
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
        if (pidfd < 0 && rusage_tree_frees_files(tree, errno))
            pidfd = rusage_pidfd_open(member->pid);
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
