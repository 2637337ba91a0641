/* Linux: what is kept of a member of a tree. */

#pragma once

#include "proc.h"

/* `directory` is /proc/PID. It refers to this process, as do the files that were opened in it: after the end of the
   process, reading fails with ESRCH, even if another process has its number. */
typedef struct {
    int is_open;
    int directory, stat, statm, children;   /* -1: not open; the children of the first thread */
    int pidfd;                      /* only of a member that may not be read */
    uint64_t inode;                 /* of a pidfd of the process: no other process has it; 0: unknown */
    int has_memory;                 /* of its own, which stays its own */
    double own_before;              /* its CPU time, in seconds, just before the last complete reading */
    int quick_readings;             /* since then */
} rusage_member_handle;

typedef struct {
    int by_parent;                  /* the kernel lists the children of each thread; otherwise /proc is listed */
    int reads_one_by_one;           /* without open files: there were no free descriptors */
    char *text;
    int text_capacity;
} rusage_tree_state;

/* Of all trees. A tree of 100 idle processes takes 150 us with open files and 240 without, but descriptors are for the program: no more than
   a quarter of the limit, and 256, stay open. */
static int rusage_open_files;
enum { FILES_OF_A_MEMBER = 4, MAX_OPEN_FILES = 256 };

#define RUSAGE_NO_PERMISSION EPERM
#define RUSAGE_NO_MEMORY ENOMEM
#define RUSAGE_WAITED_ERROR (2.0 / (double)sysconf(_SC_CLK_TCK))  /* two times, each cut to a tick */
enum { RUSAGE_PARENT_IDS_DANGLE = 0, RUSAGE_HAS_ZOMBIES = 1 };

#include "../../_c/process.h"

/* In process.c. */
static int rusage_open_directory(int pid);
