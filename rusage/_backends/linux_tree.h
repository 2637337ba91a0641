/* Linux: what identifies a member of a tree, and the values read from its stat file. */

#pragma once

#include "linux_proc.h"

/* `directory` is /proc/PID. It refers to this process, as do the files that were opened in it: after the end of the
   process, reading fails with ESRCH, even if another process has its number. */
typedef struct {
    int is_open;
    int directory, stat, statm, children;   /* -1: not open; the children of the first thread */
    int pidfd;                      /* only of a member that may not be read */
    uint64_t inode;                 /* of a pidfd of the process: no other process has it; 0: unknown */
    int64_t thread_ids;             /* the sum of the IDs of its threads; 0: one thread */
    int has_memory;                 /* of its own, which stays its own */
    double own_before;              /* its CPU time, in seconds, just before the last complete reading */
    int quick_readings;             /* since then */
} rusage_member_handle;

/* A process that was not in the tree, and the inode of its directory in /proc: another process has another one. */
typedef struct {
    int pid, parent;
    uint64_t inode;
} rusage_stranger;

typedef struct {
    int reads_one_by_one;           /* without open files: there were no free descriptors */
    int broken;                     /* the last list had a process whose parent was not in it */
    rusage_stranger *strangers, *earlier;
    int stranger_count, stranger_capacity, earlier_count, earlier_capacity;
    char *text;
    int text_capacity;
} rusage_tree_state;

/* Of all trees. Reading open files takes a third of the time of opening them, but descriptors are for the program: no more than
   a quarter of the limit, and 256, stay open. */
static int rusage_open_files;
enum { FILES_OF_A_MEMBER = 4, MAX_OPEN_FILES = 256 };

#define RUSAGE_NO_PERMISSION EPERM
#define RUSAGE_NO_MEMORY ENOMEM
#define RUSAGE_WAITED_ERROR (2.0 / (double)sysconf(_SC_CLK_TCK))  /* two times, each cut to a tick */

#include "../_c/tree.h"

/* The numbers of the fields in proc_pid_stat(5). */
enum { PARENT = 4, FLAGS = 9, WAITED_UTIME = 16, WAITED_STIME = 17, THREADS = 20, START = 22, FIELDS };

enum {
    FORK_NO_EXEC = 0x40,            /* PF_FORKNOEXEC, of FLAGS: the process has executed no program since its fork */
    KCMP_MEMORY = 1                 /* KCMP_VM of kcmp(2) */
};

typedef struct {
    char state;
    int64_t field[FIELDS];
} rusage_tree_stat;

/* Parse the text of /proc/PID/stat; the second field is the name in parentheses, which may contain anything. */
static int rusage_parse_tree_stat(const char *text, rusage_tree_stat *stat)
{
    const char *next = strrchr(text, ')');
    char *end;
    int i;

    if (next == NULL || next[1] != ' ' || next[2] == '\0')
        return EIO;
    stat->state = next[2];
    next += 3;
    for (i = PARENT; i < FIELDS; i++) {
        stat->field[i] = strtoll(next, &end, 10);
        if (end == next)
            return EIO;
        next = end;
    }
    return 0;
}
