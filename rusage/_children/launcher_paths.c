/* Whether a program's path leads to the same file in another process. Some do not, such as /proc/self/exe and
   /dev/fd/3: they pass through "magic links" (symlink(7)), which the launcher's child would follow to its own files. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Not in headers older than Linux 5.6. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

enum {
    RUSAGE_MAX_LINKS = 40, /* path_resolution(7) */
    RUSAGE_PROC = 0x9fa0,  /* PROC_SUPER_MAGIC of linux/magic.h */
};

/* A path that is being followed. */
typedef struct {
    int here, links;            /* the directory that is reached, and how many links have been followed */
    char *left;                 /* what is left, at the end of the text */
    char text[2 * PATH_MAX];
} rusage_walk;

/* Put a path before what is left. Return 0 or an errno. */
static int rusage_prepend(rusage_walk *walk, const char *path, size_t length)
{
    if (walk->links++ > RUSAGE_MAX_LINKS)
        return ELOOP;
    if (length + 1 > (size_t)(walk->left - walk->text))
        return ENAMETOOLONG;
    walk->left -= length + 1;
    memcpy(walk->left, path, length);
    walk->left[length] = '/';
    if (path[0] == '/') {
        close(walk->here);
        walk->here = open("/", O_PATH | O_CLOEXEC);
    }
    return walk->here < 0 ? errno : 0;
}

/* Follow one name. Return 0 or an errno. */
static int rusage_follow_name(rusage_walk *walk, const char *name)
{
    char target[PATH_MAX];
    struct statfs system;
    int next = openat(walk->here, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    ssize_t length;

    if (next < 0)
        return errno;
    length = fstatfs(next, &system) == 0 && system.f_type == RUSAGE_PROC ? -ELOOP
                                                                         : readlinkat(next, "", target, sizeof target);
    if (length >= 0 || length == -ELOOP) {
        close(next);
        return length < 0 ? ELOOP : rusage_prepend(walk, target, (size_t)length);
    }
    close(walk->here);          /* it is not a link */
    walk->here = next;
    return 0;
}

/* As openat2(2) with RESOLVE_NO_MAGICLINKS, for systems without it: return 0 or an errno. The result is ELOOP for every
   path that enters a /proc file system. */
static int rusage_follow_path(int folder, const char *path)
{
    rusage_walk walk;
    size_t length;
    int error;

    walk.links = 0;
    walk.left = walk.text + sizeof walk.text - 1;
    *walk.left = '\0';
    walk.here = openat(folder, ".", O_PATH | O_CLOEXEC);
    error = walk.here < 0 ? errno : rusage_prepend(&walk, path, strlen(path));
    while (error == 0 && *walk.left != '\0') {
        const char *name = walk.left;

        length = strcspn(name, "/");
        walk.left += length + 1;        /* each name ends with a slash: see rusage_prepend */
        walk.left[-1] = '\0';
        if (length > 0)
            error = rusage_follow_name(&walk, name);
    }
    if (walk.here >= 0)
        close(walk.here);
    return error;
}

/* Open a program, relative to a directory, without a magic link. Return 0 or an errno. */
static int rusage_open_path(int folder, const char *path)
{
    const struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_CLOEXEC, 0, 2 /* RESOLVE_NO_MAGICLINKS */};
    int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);

    if (fd < 0)
        return errno == ENOSYS || errno == EPERM ? rusage_follow_path(folder, path) : errno;
    close(fd);
    return 0;
}

/* Open a directory, unless it is NULL, to which paths are relative. Return -1 if it cannot be opened, or is not the same
   directory for every process: /proc/self is not. */
static int rusage_open_start(const char *directory)
{
    struct statfs system;
    int folder;

    if (directory == NULL)
        return AT_FDCWD;
    folder = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 && (fstatfs(folder, &system) != 0 || system.f_type == RUSAGE_PROC)) {
        close(folder);
        folder = -1;
    }
    return folder;
}

/* Open a program in a folder, whose path has this length, without a magic link. Return 0 or an errno. */
static int rusage_open_in_folder(int directory, const char *folder, size_t length, const char *name)
{
    char path[PATH_MAX];
    size_t size = strlen(name) + 1;
    int has_slash = length == 0 || folder[length - 1] == '/';

    if (length + !has_slash + size > sizeof path)
        return ENAMETOOLONG;
    memcpy(path, folder, length);
    if (!has_slash)
        path[length++] = '/';
    memcpy(path + length, name, size);
    return rusage_open_path(directory, path);
}

/* Search a program in folders, separated by colons and relative to a directory unless that is NULL. Return the number
   of the first folder that has it, or, if none has or "all" are asked for, how many there are. Return -1 if a path that
   was tried may lead to another file in the launcher's child. Where other IDs may search a directory that this process
   may not, that is unknown. */
static int rusage_find_program(const char *directory, const char *folders, const char *name, int other_ids, int all)
{
    int opened = rusage_open_start(directory), number = 0, error = 0;
    size_t length;

    while (opened != -1) {
        length = strcspn(folders, ":");
        error = rusage_open_in_folder(opened, folders, length, name);
        if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || (error == EACCES && !other_ids))
            error = 0;
        else if (error != 0 || !all)
            break;
        number++;
        if (folders[length] == '\0')
            break;
        folders += length + 1;
    }
    if (opened >= 0)
        close(opened);
    return opened == -1 || error != 0 ? -1 : number;
}
