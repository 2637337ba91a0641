/* Linux: what is kept of a member of a tree. */

#pragma once

#include "proc.h"

#define RUSAGE_HAS_HANDLES

typedef struct {
    uint64_t inode; /* of a pidfd of the process: no other process has it; 0: unknown */
    int has_memory; /* of its own, which stays its own */
    int counts_memory; /* also if it uses its parent's: kcmp(2) is refused or missing */
    int64_t complete_until; /* CLOCK_MONOTONIC, in ms: until then, a quick reading may follow */
} rusage_member_identity;

typedef struct {
    int by_parent; /* the kernel lists the children of each thread; otherwise /proc is listed */
    char *text;
    int text_capacity;
} rusage_tree_state;

#define RUSAGE_WAITED_ERROR (2.0 / (double)sysconf(_SC_CLK_TCK)) /* two times, each cut to a tick */

#include "../../_c/tree.h"

/* In members.c. */
static void rusage_lock_files(void);
static void rusage_unlock_files(void);
/* In memory.c. */
static int64_t rusage_note_size(int64_t size);
/* In process.c. */
static int rusage_open_directory(int pid);
