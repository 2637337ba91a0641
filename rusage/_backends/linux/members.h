/* Linux: what is kept of a member of a tree. */

#pragma once

#include "proc.h"

#define RUSAGE_HAS_HANDLES

/* `directory` is /proc/PID, during a reading. It refers to this process, as does the file that
   stays open: after the end of the process, reading fails with ESRCH, even if another process has
   its number. */
typedef struct {
    int is_open;
    int directory, statm;           /* -1: not open */
    int pidfd;                      /* only of a member that may not be read */
} rusage_member_handle;

typedef struct {
    uint64_t inode; /* of a pidfd of the process: no other process has it; 0: unknown */
    int has_memory; /* of its own, which stays its own */
    int counts_memory; /* also if it uses its parent's: kcmp(2) is refused or missing */
    int quick_readings; /* since the last complete one */
} rusage_member_identity;

enum { RUSAGE_KEPT_FILES = 256 };

typedef struct {
    int by_parent; /* the kernel lists the children of each thread; otherwise /proc is listed */
    int reads_one_by_one; /* without open files: there were no free descriptors */
    int kept[RUSAGE_KEPT_FILES]; /* the files that stay open; -1: none */
    int spare[2]; /* two of them, closed for a reading, which needs three descriptors at a time */
    char *text;
    int text_capacity;
} rusage_tree_state;

#define RUSAGE_WAITED_ERROR (2.0 / (double)sysconf(_SC_CLK_TCK)) /* two times, each cut to a tick */

#include "../../_c/tree.h"

/* In memory.c. */
static int64_t rusage_note_size(int64_t size);
/* In process.c. */
static int rusage_open_directory(int pid);
