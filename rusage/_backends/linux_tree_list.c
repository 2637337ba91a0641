/* Linux: the list of children or processes for a tree. */

#include "linux_tree.h"

#include <time.h>

/* --- The children of a process: /proc/PID/task/TID/children, if the kernel has these files --- */

/* Read a file of any size from its beginning; return 0 or an errno. */
static int rusage_tree_text(rusage_tree *tree, int fd)
{
    enum { ROOM = 1 << 16, LAST = 2048 };
    int used = 0, error;
    ssize_t size;

    do {
        error = rusage_tree_grow((void **)&tree->system.text, used + ROOM, &tree->system.text_capacity, 1);
        if (error != 0)
            return error;
        size = pread(fd, tree->system.text + used, ROOM, used);
        if (size < 0)
            return errno;
        used += (int)size;
    } while (size >= LAST);             /* the kernel fills a page, which is larger, if there is more */
    tree->system.text[used] = '\0';
    return 0;
}

/* List the children of a thread; `fd` is open, or the file is opened. */
static int rusage_list_of_thread(rusage_tree *tree, const rusage_member *member, int fd, const char *thread)
{
    char path[sizeof "task//children" + sizeof((struct dirent *)0)->d_name], *end;
    const char *next;
    int opened = -1, error;
    long pid;

    if (fd < 0) {
        snprintf(path, sizeof path, "task/%s/children", thread);
        fd = opened = openat(member->handle.directory, path, O_RDONLY | O_CLOEXEC);
    }
    error = fd < 0 ? errno : rusage_tree_text(tree, fd);
    if (opened >= 0)
        close(opened);
    /* The thread may have ended: its children have another one as a parent then. Or hidepid hides the lists of a member
       whose other files were opened before. */
    if (error != 0)
        return error == ENOENT || error == ESRCH || error == EPERM || error == EACCES ? 0 : error;
    for (next = tree->system.text; (pid = strtol(next, &end, 10)) > 0; next = end) {
        error = rusage_tree_found(tree, (int)pid, member->pid, 0);
        if (error != 0)
            return error;
    }
    return 0;
}

static int rusage_list_children(rusage_tree *tree, rusage_member *member, int has_threads)
{
    const struct dirent *entry;
    char number[16];
    int64_t ids = 0;
    int fd, error = 0;
    DIR *threads;

    if (!has_threads) {
        snprintf(number, sizeof number, "%d", member->pid);
        error = rusage_list_of_thread(tree, member, member->handle.children, number);
    } else {
        fd = rusage_proc_open(member->handle.directory, "task", O_DIRECTORY);
        if (fd < 0)
            return fd == -EPERM || fd == -EACCES ? 0 : -fd;
        threads = fdopendir(fd);
        if (threads == NULL) {
            error = errno;
            close(fd);
            return error;
        }
        while (error == 0 && (entry = readdir(threads)) != NULL)
            if (entry->d_name[0] != '.') {
                ids += atoi(entry->d_name);
                error = rusage_list_of_thread(tree, member, -1, entry->d_name);
            }
        closedir(threads);
    }
    /* A child of a thread that ends becomes another thread's, whose list may have been read before. */
    member->changed |= ids != member->handle.thread_ids;
    member->handle.thread_ids = ids;
    return error;
}

/* --- All processes: /proc, where these files are missing --- */

static int rusage_by_number(const void *one, const void *other)
{
    int first = ((const rusage_stranger *)one)->pid, second = ((const rusage_stranger *)other)->pid;

    return (first > second) - (first < second);
}

static const rusage_stranger *rusage_stranger_find(const rusage_stranger *strangers, int count, int pid)
{
    rusage_stranger key = {pid, 0, 0};

    return count == 0 ? NULL : bsearch(&key, strangers, (size_t)count, sizeof key, rusage_by_number);
}

/* Read the parent and the start of a process that is not known; a process that cannot be read may be a member's child. */
static int rusage_list_stranger(rusage_tree *tree, int directory, int pid, uint64_t inode)
{
    char path[32], text[2048];
    rusage_stranger one = {pid, 0, inode};
    rusage_tree_stat stat;
    int error;

    snprintf(path, sizeof path, "%d/stat", pid);
    error = rusage_read_text(directory, path, text, sizeof text);
    if (error == 0)
        error = rusage_parse_tree_stat(text, &stat);
    if (error == ESRCH || error == ENOENT)
        return 0;
    if (error == EPERM || error == EACCES) {
        tree->system.broken = kill(pid, 0) == 0 || errno == EPERM ? 1 : tree->system.broken;
        return 0;
    }
    if (error == 0)
        error = rusage_tree_grow((void **)&tree->system.strangers, tree->system.stranger_count,
                                 &tree->system.stranger_capacity, sizeof one);
    if (error != 0)
        return error;
    one.parent = (int)stat.field[PARENT];
    tree->system.strangers[tree->system.stranger_count++] = one;
    return rusage_tree_found(tree, pid, one.parent, stat.field[START]);
}

/* Take a stranger over from the last list; return whether it was there, with this inode. */
static int rusage_list_known(rusage_tree *tree, int pid, uint64_t inode)
{
    const rusage_stranger *one = rusage_stranger_find(tree->system.earlier, tree->system.earlier_count, pid);

    if (one == NULL || one->inode != inode
        || rusage_tree_grow((void **)&tree->system.strangers, tree->system.stranger_count,
                            &tree->system.stranger_capacity, sizeof *one)
               != 0)
        return 0;
    tree->system.strangers[tree->system.stranger_count++] = *one;
    return 1;
}

/* Forget those that may belong to the tree: the members, and those whose parents were not in the list. */
static void rusage_list_forget(rusage_tree *tree)
{
    rusage_tree_state *state = &tree->system;
    int i, kept = 0;

    if (state->stranger_count > 0)
        qsort(state->strangers, (size_t)state->stranger_count, sizeof *state->strangers, rusage_by_number);
    for (i = 0; i < state->stranger_count; i++) {
        int parent = state->strangers[i].parent;

        if (parent != 0 && rusage_tree_find(tree, parent) < 0
            && rusage_stranger_find(state->strangers, state->stranger_count, parent) == NULL) {
            state->broken = 1;
            state->strangers[i].inode = 0;
        }
    }
    for (i = 0; i < state->stranger_count; i++)
        if (state->strangers[i].inode != 0 && rusage_tree_find(tree, state->strangers[i].pid) < 0)
            state->strangers[kept++] = state->strangers[i];
    state->stranger_count = kept;
}

static int rusage_list_all(rusage_tree *tree)
{
    rusage_tree_state *state = &tree->system;
    rusage_stranger *earlier = state->earlier;
    int capacity = state->earlier_capacity, error = 0, pid;
    const struct dirent *entry;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return errno;
    state->earlier = state->strangers;
    state->earlier_count = state->stranger_count;
    state->earlier_capacity = state->stranger_capacity;
    state->strangers = earlier;
    state->stranger_count = 0;
    state->stranger_capacity = capacity;
    state->broken = 0;
    while (error == 0 && (entry = readdir(processes)) != NULL) {
        pid = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? atoi(entry->d_name) : 0;
        if (pid > 0 && rusage_tree_find(tree, pid) < 0 && !rusage_list_known(tree, pid, entry->d_ino))
            error = rusage_list_stranger(tree, dirfd(processes), pid, entry->d_ino);
    }
    closedir(processes);
    return error;
}

/* --- Of both --- */

static int rusage_tree_list(rusage_tree *tree)
{
    int error = rusage_check_proc();

    if (error == 0 && !tree->by_parent) {
        error = rusage_list_all(tree);
        if (error == 0)
            error = rusage_tree_adopt(tree);
        rusage_list_forget(tree);
    }
    return error;
}

static int rusage_tree_is_complete(const rusage_tree *tree)
{
    return !tree->system.broken;
}

/* In ticks, as the starts of processes are. */
static int64_t rusage_tree_now(void)
{
    struct timespec time = {0, 0};
    int64_t ticks = sysconf(_SC_CLK_TCK);

    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * ticks + time.tv_nsec * ticks / 1000000000;
}

static int rusage_tree_begin(rusage_tree *tree, int pid)
{
    char path[64];
    int64_t number = 0;
    int error = rusage_check_proc();

    if (error != 0)
        return error;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    error = rusage_read_status(AT_FDCWD, path, rusage_tgid, 1, &number);
    if (error == ENOENT)
        error = kill(pid, 0) != 0 && errno != EPERM ? errno : EPERM;
    if (error == 0 && number != pid)
        error = RUSAGE_NO_PROCESS; /* the ID of a thread */
    tree->by_parent = access("/proc/thread-self/children", R_OK) == 0;
    return error;
}

static void rusage_tree_end(rusage_tree *tree)
{
    free(tree->system.strangers);
    free(tree->system.earlier);
    free(tree->system.text);
}
