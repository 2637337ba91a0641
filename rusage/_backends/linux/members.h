/* Linux: what is kept of a member of a tree. */

#pragma once

#include "proc.h"

#define RUSAGE_HAS_HANDLES

typedef struct {
    uint64_t inode; /* of a pidfd of the process: no other process has it; 0: unknown */
    int is_dated; /* read in a later tick than its start, which no later process has */
    int has_memory; /* of its own, which stays its own */
    int counts_memory; /* also if it uses its parent's: kcmp(2) is refused or missing */
} rusage_member_identity;

typedef struct {
    int64_t began; /* the reading, in ticks */
    int by_parent; /* the kernel lists the children of each thread; otherwise /proc is listed */
    char *text;
    int text_capacity;
} rusage_tree_state;

#define RUSAGE_WAITED_ERROR (2.0 / (double)sysconf(_SC_CLK_TCK)) /* two times, each cut to a tick */

#include "../../_c/tree.h"

/* In memory.c. */
static int64_t rusage_note_size(int64_t size);
/* In process.c. */
static int rusage_open_directory(int pid);
