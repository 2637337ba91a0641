/* Linux: the list of children or processes for a tree. */

#include "members.h"

/* --- The children of a process: /proc/PID/task/TID/children, if the kernel has these files --- */

/* Read a file of any size from its beginning; return 0 or an errno. */
static int rusage_tree_text(rusage_tree *tree, int fd)
{
    enum { ROOM = 1 << 16, LAST = 2048 };
    int used = 0, error;
    ssize_t size;

    do {
        error =
            rusage_grow((void **)&tree->system.text, used + ROOM, &tree->system.text_capacity, 1);
        if (error != 0)
            return error;
        size = pread(fd, tree->system.text + used, ROOM, used);
        if (size < 0)
            return errno;
        used += (int)size;
    } while (size >= LAST); /* the kernel fills a page, which is larger, if there is more */
    tree->system.text[used] = '\0';
    return 0;
}

static int rusage_list_of_thread(rusage_tree *tree, int parent, int directory, const char *thread)
{
    char path[sizeof "task//children" + sizeof((struct dirent *)0)->d_name], *end;
    const char *next;
    int fd, error;
    long pid;

    snprintf(path, sizeof path, "task/%s/children", thread);
    fd = rusage_open_noted(directory, path, 0);
    error = fd < 0 ? errno : rusage_tree_text(tree, fd);
    rusage_close_noted(&fd);
    /* If the thread has ended, its children have another one as a parent. */
    if (error != 0)
        return error == ENOENT || error == ESRCH ? 0 : error;
    for (next = tree->system.text; (pid = strtol(next, &end, 10)) > 0; next = end) {
        error = rusage_tree_add_listed(tree, (int)pid, parent);
        if (error != 0)
            return error;
    }
    return 0;
}

static int rusage_list_children(rusage_tree *tree, int parent, int directory, int has_threads)
{
    const struct dirent *entry;
    char number[16];
    int error;
    DIR *threads;

    if (!has_threads) {
        snprintf(number, sizeof number, "%d", parent);
        return rusage_list_of_thread(tree, parent, directory, number);
    }
    error = rusage_open_threads(directory, &threads);
    if (error != 0)
        return error;
    while (error == 0 && (entry = rusage_next_entry(threads, &error)) != NULL)
        error = rusage_list_of_thread(tree, parent, directory, entry->d_name);
    rusage_close_list(threads);
    return error;
}

/* --- All processes: /proc, where these files are missing --- */

/* A process that may not be read is left out. */
static int rusage_list_all(rusage_tree *tree)
{
    char path[sizeof "/stat" + sizeof((struct dirent *)0)->d_name], text[2048];
    const struct dirent *entry;
    int fd = rusage_open_noted(AT_FDCWD, "/proc", O_DIRECTORY), error = 0;
    DIR *processes = fd < 0 ? NULL : fdopendir(fd);
    rusage_stat stat;

    if (processes == NULL) {
        error = errno;
        rusage_close_noted(&fd);
        return error;
    }
    while (error == 0 && (entry = rusage_next_entry(processes, &error)) != NULL) {
        int pid = atoi(entry->d_name);

        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "%s/stat", entry->d_name);
        error = rusage_read_text(dirfd(processes), path, text, sizeof text);
        if (error == 0)
            error = rusage_parse_stat(text, &stat);
        if (error == 0)
            error = rusage_tree_add_listed(tree, pid, (int)stat.field[STAT_PARENT]);
        else if (rusage_is_error_of_process(error))
            error = 0;
    }
    rusage_close_list(processes);
    return error;
}

/* --- Both --- */

static int rusage_tree_list(rusage_tree *tree)
{
    int error = rusage_tree_now(&tree->system.began);

    if (error == 0)
        error = rusage_check_proc();
    return error != 0 || tree->system.by_parent ? error : rusage_list_all(tree);
}
