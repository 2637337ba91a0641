/* Linux: the files in /proc, of any process (man page: proc(5)). */

#pragma once

#include "../../_c/rusage.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Return 0 if /proc shows the processes by the numbers that they have here, in this PID
   namespace. */
static int rusage_check_proc(void)
{
    char self[32];
    ssize_t size = readlink("/proc/self", self, sizeof self - 1);

    if (size < 0)
        return errno;
    self[size] = '\0';
    return atoi(self) == getpid() ? 0 : ENOENT;
}

static void rusage_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- The files that readings have open: a forked child closes its copies --- */

enum { RUSAGE_NOTED_FILES = 64 };

static int rusage_noted_files[RUSAGE_NOTED_FILES]; /* descriptors, plus 1; 0: none */
static int rusage_notes_files; /* only when forks close them: a child must not note others' */
/* Held while a file is opened and noted, or closed, and during each fork(3). */
static pthread_mutex_t rusage_files_lock = PTHREAD_MUTEX_INITIALIZER;
/* How often this thread has locked it: a signal handler of C may fork meanwhile. */
static __thread volatile int rusage_files_locks;

static void rusage_lock_files(void)
{
    if (rusage_files_locks++ == 0)
        pthread_mutex_lock(&rusage_files_lock);
}

static void rusage_unlock_files(void)
{
    if (rusage_files_locks == 1)
        pthread_mutex_unlock(&rusage_files_lock);
    rusage_files_locks--;
}

/* Replace the first entry that has a value. If all are in use, nothing is noted. */
static void rusage_replace_noted(int value, int by)
{
    int i = rusage_notes_files ? 0 : RUSAGE_NOTED_FILES;

    while (i < RUSAGE_NOTED_FILES && rusage_noted_files[i] != value)
        i++;
    if (i < RUSAGE_NOTED_FILES)
        rusage_noted_files[i] = by;
}

static void rusage_forget_files(void)
{
    int i;

    for (i = 0; i < RUSAGE_NOTED_FILES; i++)
        if (rusage_noted_files[i] != 0)
            close(rusage_noted_files[i] - 1);
    memset(rusage_noted_files, 0, sizeof rusage_noted_files);
    pthread_mutex_init(&rusage_files_lock, NULL);
    rusage_files_locks--;
}

/* Do this for forks from now on; twice has the same effect. Return 0 or an errno. */
static inline int rusage_note_forks(void)
{
    int error = 0;

    if (!rusage_notes_files)
        error = pthread_atfork(rusage_lock_files, rusage_unlock_files, rusage_forget_files);
    rusage_notes_files = error == 0;
    return error;
}

/* Open a file and note it; return its descriptor or -1. */
static int rusage_open_noted(int directory, const char *path, int flags)
{
    int fd;

    rusage_lock_files();
    fd = openat(directory, path, flags | O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        rusage_replace_noted(0, fd + 1);
    rusage_unlock_files();
    return fd;
}

static inline void rusage_keep_noted(int fd)
{
    rusage_lock_files();
    rusage_replace_noted(fd + 1, 0); /* of -1: 0 by 0 */
    rusage_unlock_files();
}

static void rusage_close_noted(int *fd)
{
    if (*fd < 0)
        return;
    rusage_lock_files();
    rusage_replace_noted(*fd + 1, 0);
    close(*fd);
    rusage_unlock_files();
    *fd = -1;
}

static void rusage_close_list(DIR *list)
{
    rusage_lock_files();
    rusage_replace_noted(dirfd(list) + 1, 0);
    closedir(list);
    rusage_unlock_files();
}

/* Open a file below /proc/PID; return its descriptor or a negative errno. The descriptor of the
   directory never refers to another process, even if another process has got the process ID. */
static int rusage_proc_open(int directory, const char *path, int flags)
{
    int fd = rusage_open_noted(directory, path, flags);

    /* The process has just ended (then the second attempt fails with ESRCH), or hidepid=2 hides its
       files (then it fails with ENOENT again). */
    if (fd < 0 && errno == ENOENT)
        fd = rusage_open_noted(directory, path, flags);
    if (fd < 0)
        return errno == ENOENT && directory != AT_FDCWD ? -EPERM : -errno;
    return fd;
}

/* Read a short file into a string, in one system call; return 0 or an errno. */
static int rusage_read_text(int directory, const char *path, char *text, size_t capacity)
{
    int fd = rusage_proc_open(directory, path, 0), error = 0;
    ssize_t size;

    if (fd < 0)
        return -fd;
    size = read(fd, text, capacity - 1);
    if (size < 0)
        error = errno;
    else
        text[size] = '\0';
    rusage_close_noted(&fd);
    return error;
}

/* Parse a number; return 0, or EIO if it is none of these, which no kernel writes. */
static int rusage_parse_number(const char *text, char **end, int64_t least, int64_t most,
                               int64_t *number)
{
    *number = strtoll(text, end, 10); /* one that is too large becomes INT64_MAX */
    return *end == text || *number < least || *number > most ? EIO : 0;
}

/* Parse a number of pages, which have at most 1 MiB, or of KiB: two such sizes can be added. */
static int rusage_parse_size(const char *text, int64_t *size)
{
    char *end;

    return rusage_parse_number(text, &end, 0, (int64_t)1 << 41, size);
}

/* Get the number in the line of a status file that starts with `start`; return 0, an errno, or
   ENODATA if there is no such line. */
static int rusage_read_number(int directory, const char *path, const char *start, int64_t *number)
{
    char text[4096];
    const size_t longest = 64;      /* longer than any of these lines */
    size_t used = 0;
    int fd = rusage_proc_open(directory, path, 0), found = 0, error = 0;
    const char *line;
    ssize_t size = 0;

    if (fd < 0)
        return -fd;
    /* The list of groups, which precedes VmHWM, may have 65536 numbers. */
    while (!found && (size = read(fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)size;
        text[used] = '\0';
        line = strstr(text, start);
        found = line != NULL && strchr(line + 1, '\n') != NULL;
        if (found)
            error = rusage_parse_size(line + strlen(start), number);
        else if (used > longest) {
            memmove(text, text + used - longest, longest);
            used = longest;
        }
    }
    if (!found)
        error = size < 0 ? errno : ENODATA;
    rusage_close_noted(&fd);
    return error;
}

/* Open the list of a process's threads; return 0 or an errno. */
static int rusage_open_threads(int directory, DIR **threads)
{
    int fd = rusage_proc_open(directory, "task", O_DIRECTORY), error = 0;

    if (fd < 0)
        return -fd;
    *threads = fdopendir(fd);
    if (*threads == NULL) {
        error = errno;
        rusage_close_noted(&fd);
    }
    return error;
}

/* Return the next entry of a directory other than "." and ".."; NULL at the end, or after an error,
   which is set then. */
static const struct dirent *rusage_next_entry(DIR *directory, int *error)
{
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(directory);
    } while (entry != NULL && entry->d_name[0] == '.');
    if (entry == NULL && errno != 0)
        *error = errno == ENOENT ? ESRCH : errno; /* the process has ended */
    return entry;
}

/* Return whether an error says that a process or a thread has ended or has no memory, or that its
   files may not be read: not, that the error has another reason, such as a lack of descriptors. */
static int rusage_is_error_of_process(int error)
{
    return error == ESRCH || error == ENOENT || error == ENODATA || error == EPERM
           || error == EACCES;
}

/* Return an error, but 0 in place of one of the process. */
static int rusage_ignore_error_of_process(int error)
{
    return rusage_is_error_of_process(error) ? 0 : error;
}

/* Get such a number from another thread's file: the first thread has no memory after its end. */
static int rusage_read_number_of_a_thread(int directory, const char *name, const char *start,
                                          int64_t *number)
{
    char path[sizeof((struct dirent *)0)->d_name + sizeof "/smaps_rollup"];
    const struct dirent *entry;
    DIR *threads;
    int end = ENODATA, error = rusage_open_threads(directory, &threads);

    if (error != 0)
        return error;
    error = ENODATA;
    while (rusage_is_error_of_process(error)
           && (entry = rusage_next_entry(threads, &end)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", entry->d_name, name);
        error = rusage_read_number(dirfd(threads), path, start, number);
    }
    rusage_close_list(threads);
    return rusage_is_error_of_process(error) ? end : error;
}

/* Get a size of a process, in KiB; return 0, an errno, or ENODATA or ESRCH for a process without
   memory. */
static int rusage_read_size(int directory, const char *name, const char *start, int64_t *size)
{
    int error = rusage_read_number(directory, name, start, size);

    return error == ESRCH || error == ENODATA
               ? rusage_read_number_of_a_thread(directory, name, start, size)
               : error;
}

/* Get the proportional set size of a process, in KiB; return the same, or EOPNOTSUPP if the kernel
   has no such file (before Linux 4.14): its files are not hidden then. */
static int rusage_read_pss(int directory, int64_t *size)
{
    int error = rusage_read_size(directory, "smaps_rollup", "\nPss:", size);

    if (error == EPERM && access("/proc/self/smaps_rollup", F_OK) != 0 && errno == ENOENT)
        error = EOPNOTSUPP;
    return error;
}

/* The numbers of the fields in proc_pid_stat(5); STAT_STARTED is in ticks since the boot. */
enum {
    STAT_PARENT = 4,
    STAT_FLAGS = 9,
    STAT_MINFLT = 10,
    STAT_WAITED_MINFLT = 11,
    STAT_MAJFLT = 12,
    STAT_UTIME = 14,
    STAT_STIME = 15,
    STAT_WAITED_UTIME = 16,
    STAT_WAITED_STIME = 17,
    STAT_THREADS = 20,              /* those that have not been reaped */
    STAT_STARTED = 22,
    STAT_FIELDS
};

typedef struct {
    char state, name[64];
    int64_t field[STAT_FIELDS];
} rusage_stat;

/* Parse the text of /proc/PID/stat. The second field is the name in parentheses, which may contain
   anything. */
static int rusage_parse_stat(const char *text, rusage_stat *stat)
{
    const char *name = strchr(text, '('), *next = strrchr(text, ')');
    char *end;
    int i;

    if (name == NULL || next == NULL || next[1] != ' ' || next[2] == '\0')
        return EIO;
    snprintf(stat->name, sizeof stat->name, "%.*s", (int)(next - name) - 1, name + 1);
    stat->state = next[2];
    next += 3;
    for (i = STAT_PARENT; i < STAT_FIELDS; i++) {
        /* of which two are added */
        if (rusage_parse_number(next, &end, INT64_MIN / 2, INT64_MAX / 2, &stat->field[i]) != 0)
            return EIO;
        next = end;
    }
    return 0;
}

static int rusage_read_stat(int directory, rusage_stat *stat)
{
    char text[2048];                /* 52 fields of at most 20 digits, and the name */
    int error = rusage_read_text(directory, "stat", text, sizeof text);

    return error != 0 ? error : rusage_parse_stat(text, stat);
}

/* Return whether a process has ended. No threads, and no figures: a first thread that has just been
   reaped, or replaced by one that executes a program (do_task_stat() in fs/proc/array.c). If the
   first thread ends before the others, it is a zombie, but the process continues. */
static int rusage_has_ended(const rusage_stat *stat)
{
    return stat->field[STAT_THREADS] == 0
           || (strchr("ZXx", stat->state) != NULL && stat->field[STAT_THREADS] == 1);
}

/* Return two times, which are in ticks, in seconds. */
static double rusage_stat_seconds(const rusage_stat *stat, int user, int system)
{
    return rusage_quotient(stat->field[user] + stat->field[system], sysconf(_SC_CLK_TCK));
}

/* Get the resident set size from the text of a statm file, in pages: the second number, which is as
   exact as VmRSS. */
static int rusage_parse_statm(const char *text, int64_t *pages)
{
    const char *second = strchr(text, ' ');

    return second == NULL ? EIO : rusage_parse_size(second, pages);
}

static int rusage_read_statm(int directory, const char *path, int64_t *pages)
{
    char text[256];                 /* seven numbers */
    int error = rusage_read_text(directory, path, text, sizeof text);

    return error != 0 ? error : rusage_parse_statm(text, pages);
}

/* The time by CLOCK_MONOTONIC, in milliseconds. */
static int64_t rusage_monotonic(void)
{
    struct timespec time = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The clock of a process, as clock_getcpuclockid(3) computes it, without its system call. */
static int rusage_read_clock(int pid, double *seconds)
{
    struct timespec time;

    if (clock_gettime((clockid_t)((~(unsigned int)pid << 3) | 2), &time) != 0)
        return errno == EINVAL ? ESRCH : errno;
    *seconds = rusage_quotient((int64_t)time.tv_sec * 1000000000 + time.tv_nsec, 1000000000);
    return 0;
}
