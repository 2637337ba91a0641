/* Linux: the members of a tree, by proc(5) and pidfd_open(2). */

#include "process.c"
#include "list.c"
#include "../../_c/tree.c"

#include <sys/vfs.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* Read the stat file. While a thread other than the first one executes a program, this may fail
   once with ESRCH. */
static int rusage_stat_twice(int directory, rusage_stat *stat)
{
    int error = rusage_read_stat(directory, stat);

    return error == ESRCH ? rusage_read_stat(directory, stat) : error;
}

/* Get the resident set size in pages, of the process that has the member's number now. */
static int rusage_member_pages(const rusage_member *member, int64_t *pages)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/%d/statm", member->pid);
    return rusage_read_statm(AT_FDCWD, path, pages);
}

/* Open a pidfd of the process that has the member's number now; return 0 or an errno, ESRCH also
   for the number of a thread. The pidfd is -1 where the kernel has none, or where it is refused:
   then the start time identifies the process. */
static int rusage_member_open_pidfd(const rusage_member *member, int *pidfd)
{
    rusage_lock_files();
    *pidfd = rusage_pidfd_open(member->pid);
    if (*pidfd >= 0)
        rusage_replace_noted(0, *pidfd + 1);
    rusage_unlock_files();
    if (*pidfd >= 0 || errno == ENOSYS || errno == EPERM || errno == EACCES)
        return 0;
    return errno == EINVAL || errno == ENOENT ? ESRCH : errno;
}

/* Get the inode of a pidfd, which no other process has; 0 before Linux 6.9, and where a call is
   refused. */
static int rusage_get_inode(int pidfd, uint64_t *inode)
{
    struct statfs system = {0};
    struct stat file = {0};
    int failed;

    *inode = 0;
    if (pidfd < 0)
        return 0;
    failed = fstatfs(pidfd, &system) != 0;
    if (!failed && system.f_type != 0x50494446 /* PID_FS_MAGIC of linux/magic.h */)
        return 0;
    if (failed || fstat(pidfd, &file) != 0)
        return errno == ENOSYS || errno == EPERM || errno == EACCES ? 0 : errno;
    *inode = file.st_ino;
    return 0;
}

/* The same of the process that has the member's number now. */
static int rusage_member_get_inode(const rusage_member *member, uint64_t *inode)
{
    int pidfd, error = rusage_member_open_pidfd(member, &pidfd);

    *inode = 0;
    if (error == 0)
        error = rusage_get_inode(pidfd, inode);
    rusage_close_noted(&pidfd);
    return error;
}

/* Find out whether another process has the member's number now, where only inodes show that. */
static int rusage_is_replaced(const rusage_member *member, int *is_replaced)
{
    uint64_t inode = 0;
    int error = 0;

    if (member->identity.inode != 0 && !member->identity.is_dated)
        error = rusage_member_get_inode(member, &inode);
    *is_replaced = error == ESRCH || (inode != 0 && inode != member->identity.inode);
    return error == ESRCH ? 0 : error;
}

/* Read the stat file only, of the process that has the member's number now. */
static int rusage_stat_by_number(const rusage_member *member, rusage_stat *stat)
{
    int directory = rusage_open_directory(member->pid), error;

    if (directory < 0)
        return directory == -ENOENT ? ESRCH : -directory;
    error = rusage_stat_twice(directory, stat);
    rusage_close_noted(&directory);
    return error == ENOENT ? ESRCH : error;
}

/* --- Questions with three results --- */

/* Return whether nothing that was read tells a member from another process with its number. It is a
   member as long as its parent lists it. */
static int rusage_lacks_identity(const rusage_member *member)
{
    return !member->is_counted && member->identity.inode == 0;
}

/* Find out whether a member that may not be read is there: not if its number is not, if the number
   is another process's, or if its pidfd shows the end. */
static int rusage_member_is_there(const rusage_member *member, int *is_there)
{
    uint64_t inode = 0, known = member->identity.inode;
    int pidfd, error = rusage_member_open_pidfd(member, &pidfd);
    int is_known = !rusage_lacks_identity(member) || member->is_new || member->is_listed;

    if (error == 0)
        error = rusage_get_inode(pidfd, &inode);
    if (error == 0 && (!is_known || (inode != 0 && known != 0 && inode != known)))
        error = ESRCH;
    if (error == 0 && pidfd >= 0)
        error = rusage_check_pidfd(pidfd);
    else if (error == 0)
        error = kill(member->pid, 0) != 0 && errno != EPERM ? errno : 0;
    rusage_close_noted(&pidfd);
    *is_there = error == 0;
    return error == RUSAGE_NO_PROCESS ? 0 : error;
}

/* Find out whether the process that has the member's number now has ended, by its stat file and, if
   that shows the end, by a pidfd: while a thread other than the first one executes a program, the
   file shows the end for a moment. */
static int rusage_member_has_ended(const rusage_member *member, const rusage_stat *stat,
                                   int *has_ended)
{
    int pidfd = -1, error = 0;

    *has_ended = rusage_has_ended(stat);
    if (*has_ended)
        error = rusage_member_open_pidfd(member, &pidfd);
    if (error == 0 && pidfd >= 0) {
        error = rusage_check_pidfd(pidfd);
        *has_ended = error != 0;
    }
    rusage_close_noted(&pidfd);
    return error == RUSAGE_NO_PROCESS ? 0 : error;
}

static int rusage_member_lives(rusage_tree *tree, rusage_member *member, int *lives)
{
    rusage_stat stat;
    int has_ended = 0, error = rusage_stat_by_number(member, &stat);

    if (error == EACCES || error == EPERM)
        return rusage_member_is_there(member, lives);
    if (error == 0)
        error = rusage_member_has_ended(member, &stat, &has_ended);
    *lives = error == 0 && !has_ended && stat.field[STAT_STARTED] == member->now.start;
    return error == ESRCH ? 0 : error;
}

/* Find out whether the process with a member's number is another one: it started at another tick,
   or it has another parent although the member's parent still lives. (Two processes can get one
   number within one tick.) */
static int rusage_is_another(rusage_tree *tree, const rusage_member *member,
                             const rusage_stat *stat, int *is_another)
{
    int index = rusage_tree_find(tree, member->now.parent);

    /* the start of one that could not be read is unknown */
    *is_another = member->is_counted && stat->field[STAT_STARTED] != member->now.start;
    if (*is_another || (int)stat->field[STAT_PARENT] == member->now.parent || index < 0
        || tree->members[index].now.state != RUSAGE_LIVES)
        return 0;
    return rusage_member_lives(tree, &tree->members[index], is_another);
}

/* Find out whether a process has no memory of its own, but uses its parent's, which is in the sum:
   between vfork(2) and exec, and after clone(2) with CLONE_VM. Where kcmp(2) is refused or missing,
   the memory counts twice. */
static int rusage_uses_parents_memory(const rusage_tree *tree, rusage_member *member, int own,
                                      const rusage_stat *stat, int *uses)
{
    int parent = (int)stat->field[STAT_PARENT], state = rusage_state_of(tree, parent);
    int has_executed = (stat->field[STAT_FLAGS] & 0x40 /* PF_FORKNOEXEC */) == 0;
    int directory = -1, error;

    *uses = member->identity.counts_memory = 0;
    if (state == RUSAGE_UNREAD)     /* its memory is in no sum */
        return 0;
    if (has_executed || state != RUSAGE_LIVES)
        member->identity.has_memory = 1;
    if (member->identity.has_memory)
        return 0;
    error = rusage_compare_memory(member->pid, parent, uses); /* first: it is fast if refused */
    if (error == 0)
        directory = rusage_open_directory(parent);
    if (error == 0 && directory < 0)
        error = -directory;
    if (error == 0)
        error = rusage_have_same_memory(member->pid, own, parent, directory, uses);
    rusage_close_noted(&directory);
    if (error == 0) {
        member->identity.has_memory = !*uses;
        return 0;
    }
    *uses = 0;                      /* unknown: the next complete reading asks again */
    member->identity.counts_memory = error == EPERM;
    return rusage_ignore_error_of_process(error);
}

/* --- Figures --- */

/* Get the resident set size in bytes. A process without memory is about to end, or only its first
   thread has ended. */
static int rusage_member_rss(int directory, const rusage_stat *stat, int64_t *rss)
{
    int64_t size = 0, pages = 0;    /* KiB */
    int error = rusage_read_statm(directory, "statm", &pages);

    if (error == 0 && pages == 0 && stat->field[STAT_THREADS] > 1)
        error = rusage_read_number_of_a_thread(directory, "status", "\nVmRSS:", &size);
    *rss = pages * sysconf(_SC_PAGESIZE) + size * 1024;
    return error == ENODATA ? 0 : error;
}

/* Get the proportional set size in bytes. A member of which it may not be read is unread. */
static int rusage_member_pss(int directory, rusage_figures *now)
{
    int64_t size = 0;               /* KiB */
    int error = rusage_read_pss(directory, &size);

    now->pss = size * 1024;
    if (error == EACCES || error == EPERM)
        now->state = RUSAGE_UNREAD;
    return rusage_ignore_error_of_process(error);
}

/* Read the figures of a member whose directory is open. The order of the eight steps, of which the
   caller makes the first, shows that all figures are of one process, which has not been reaped
   meanwhile. Return EAGAIN if stat shows an end that the pidfd does not. */
static int rusage_member_figures_of(rusage_tree *tree, rusage_member *member, int directory,
                                    int wants_pss)
{
    rusage_figures now = member->now;
    rusage_stat stat;
    struct rusage children;
    int uses_parents, has_ended = 1, differs = 0, error;

    /* 2. The clock, by the number, before stat, which fails if the process has been reaped. */
    error = rusage_read_clock(member->pid, &now.own);
    /* 3. stat, with the time waited for, before the children: see step 6. */
    if (error == 0)
        error = rusage_stat_twice(directory, &stat);
    if (error == 0 && rusage_is_hidden(tree, member) && getrusage(RUSAGE_CHILDREN, &children) != 0)
        error = errno;
    /* A chain of processes that start the next one would never end. */
    if (error == 0 && member->is_new && member != &tree->members[0]
        && stat.field[STAT_STARTED] > tree->system.began)
        return ESRCH;               /* the next reading finds it */
    /* 4. Its end by a pidfd too, where stat shows it: otherwise its parent is no process's. */
    if (error == 0 && now.state != RUSAGE_ZOMBIE)
        error = rusage_member_has_ended(member, &stat, &has_ended);
    if (error == 0 && !has_ended && rusage_has_ended(&stat))
        error = EAGAIN;
    /* 5. The identity of a known member, before its end and children are believed. */
    if (error == 0 && !member->is_new)
        error = rusage_is_another(tree, member, &stat, &differs);
    if (error == 0 && differs)
        error = ESRCH;
    /* 6. The children, after stat: one that has been reaped between the two is in neither, and in
       the time waited for of the next reading. */
    if (error == 0 && tree->system.by_parent)
        error = rusage_list_children(tree, member->pid, directory, stat.field[STAT_THREADS] > 1);
    if (error != 0)
        return error;
    now.start = stat.field[STAT_STARTED];
    now.parent = (int)stat.field[STAT_PARENT];
    now.waited = rusage_stat_seconds(&stat, STAT_WAITED_UTIME, STAT_WAITED_STIME);
    if (rusage_is_hidden(tree, member)) /* this process: not cut to ticks */
        now.waited = rusage_quotient(rusage_microseconds(&children.ru_utime)
                                         + rusage_microseconds(&children.ru_stime),
                                     RUSAGE_MICROSECONDS);
    now.has_waited = stat.field[STAT_WAITED_MINFLT];
    now.is_running = stat.state == 'R' || stat.state == 'D';
    now.has_times = 1;
    rusage_set_name(&now, stat.name, sizeof stat.name);
    now.state = rusage_has_ended(&stat) ? RUSAGE_ZOMBIE : RUSAGE_LIVES;
    /* 7. Whose memory it uses, before the sizes: otherwise the parent's counts twice if the process
       executes a program between the two. */
    error = rusage_uses_parents_memory(tree, member, directory, &stat, &uses_parents);
    now.pss = 0;
    if (error == 0 && wants_pss && now.state == RUSAGE_LIVES && !uses_parents)
        error = rusage_member_pss(directory, &now);
    /* 8. Last a file of the process, which fails if it has been reaped, and the inode: the number,
       and with it the directory, may be another process's. */
    if (error == 0)
        error = rusage_member_rss(directory, &stat, &now.rss);
    if (error == 0)
        error = rusage_is_replaced(member, &differs);
    if (error == 0 && differs)
        error = ESRCH;
    if (error != 0)
        return error;
    if (uses_parents)
        now.rss = 0;
    member->now = now;
    member->identity.is_dated = now.start < tree->system.began;
    member->is_due = 0;
    return 0;
}

/* Return whether the process that has the member's number now has the CPU time that it had. */
static int rusage_member_is_idle(const rusage_member *member)
{
    double own = 0;

    return rusage_read_clock(member->pid, &own) == 0 && own == member->now.own;
}

/* Read only statm of a member that has not run since its last complete reading; return whether that
   was possible. Its CPU time, in nanoseconds, identifies the process, and shows that it has neither
   ended, nor started a child, nor waited for one. It may have adopted one: see
   rusage_tree_find_adopted(). */
static int rusage_member_read_quickly(const rusage_tree *tree, rusage_member *member)
{
    int parent = rusage_tree_find(tree, member->now.parent);
    /* after the end of its parent it has another one */
    int keeps_parent = parent < 0 || tree->members[parent].now.state == RUSAGE_LIVES;
    int is_known = member->identity.has_memory || member->identity.counts_memory;
    int may_be_idle = tree->sums.is_anchored && member->now.state == RUSAGE_LIVES
                      && member->now.own > 0 && is_known;
    int is_same;
    int64_t pages = 0;

    if (!may_be_idle || !keeps_parent || member->is_due)
        return 0;
    /* still refused */
    if (member->identity.counts_memory
        && rusage_compare_memory(member->pid, member->now.parent, &is_same) != EPERM)
        return 0;
    if (!rusage_member_is_idle(member) || rusage_member_pages(member, &pages) != 0 || pages == 0
        || !rusage_member_is_idle(member))
        return 0;
    member->now.rss = pages * sysconf(_SC_PAGESIZE);
    member->is_quick = 1;
    return 1;
}

static int rusage_member_read_completely(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int directory, error = 0;

    /* 1. The inode first: step 8 compares with it what has the number then. */
    if (rusage_lacks_identity(member))
        error = rusage_member_get_inode(member, &member->identity.inode);
    if (error != 0)
        return error;
    directory = rusage_open_directory(member->pid);
    if (directory < 0)
        return directory == -ENOENT ? ESRCH : -directory;
    error = rusage_member_figures_of(tree, member, directory, wants_pss);
    rusage_close_noted(&directory);
    return error == ENOENT ? ESRCH : error;
}

/* An end is believed if it is seen twice and, of a known member, a pidfd does not deny it: while a
   thread other than the first one executes a program, its files cannot be read for moments. What is
   hidden (see hidepid in proc(5)) is there too, and is gone after 100 attempts. */
static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    int error, attempt = 0, is_there, parent;

    if (!wants_pss && rusage_member_read_quickly(tree, member))
        return 0;
    member->is_quick = 0;
    do {
        is_there = 0;
        error = rusage_member_read_completely(tree, member, wants_pss);
        if (error == ESRCH && attempt > 0 && !member->is_new) {
            error = rusage_member_is_there(member, &is_there);
            if (error == 0)
                error = ESRCH;
        }
    } while ((error == ESRCH && attempt++ < (is_there ? 100 : 1))
             || (error == EAGAIN && attempt++ < 100));
    if (error == EACCES || error == EPERM) {
        error = rusage_member_is_there(member, &is_there);
        member->now.state = is_there ? RUSAGE_UNREAD : RUSAGE_GONE;
        parent = rusage_tree_find(tree, member->now.parent);
        if (rusage_lacks_identity(member) && parent >= 0)
            tree->members[parent].is_due = 1;
    } else if (error == ESRCH) {
        member->now.state = RUSAGE_GONE;
        error = 0;
    }
    return error;
}

/* --- The beginning and the end of a tree --- */

/* In ticks, as the starts of processes are. */
static int rusage_tree_now(int64_t *now)
{
    struct timespec time;
    int64_t ticks = sysconf(_SC_CLK_TCK);

    if (clock_gettime(CLOCK_BOOTTIME, &time) != 0)
        return errno;
    *now = (int64_t)time.tv_sec * ticks + time.tv_nsec * ticks / 1000000000;
    return 0;
}

static int rusage_tree_begin(rusage_tree *tree, int pid)
{
    char path[64];
    int64_t number = 0;
    int error = rusage_check_proc();

    if (error == 0)
        error = rusage_note_forks();
    if (error != 0)
        return error;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    error = rusage_read_number(AT_FDCWD, path, "\nTgid:", &number);
    if (error == ENOENT)
        error = kill(pid, 0) != 0 && errno != EPERM ? errno : EPERM;
    if (error == 0 && number != pid)
        error = RUSAGE_NO_PROCESS; /* the ID of a thread */
    tree->system.by_parent = access("/proc/thread-self/children", R_OK) == 0;
    if (error == 0 && !tree->system.by_parent && errno != ENOSYS
        && !rusage_is_error_of_process(errno))
        error = errno;
    return error;
}

static void rusage_tree_end(rusage_tree *tree)
{
    free(tree->system.text);
}

/* --- Signals --- */

/* Return 0 if the process that has the member's number now is the member; `pidfd` is of that
   process, or -1. Where no pidfd has an inode of its own, this is not certain: see
   rusage_is_another(). */
static int rusage_member_check_pidfd(rusage_tree *tree, rusage_member *member, int pidfd)
{
    int is_another = 0, error;
    uint64_t inode;
    rusage_stat stat;

    error = rusage_get_inode(pidfd, &inode);
    if (error != 0)
        return error;
    if (inode != 0 && member->identity.inode != 0)
        return inode == member->identity.inode ? 0 : ESRCH;
    error = rusage_stat_by_number(member, &stat);
    if (error == 0)
        error = rusage_is_another(tree, member, &stat, &is_another);
    return error == 0 && is_another ? ESRCH : error;
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
    int pidfd, error = rusage_member_open_pidfd(member, &pidfd);

    if (error == 0)
        error = rusage_member_check_pidfd(tree, member, pidfd);
    if (error == 0)
        error = rusage_send_signal(member->pid, pidfd, number);
    rusage_close_noted(&pidfd);
    return error;
}
