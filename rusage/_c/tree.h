/* A process and its descendants, and each of them.

   A system reads one process, and lists processes; the rest is common. Process reads a process by
   its number or handle; a tree is a list of such processes, its members, each one after its parent:

   tree.c            reads the members one after another, and the sums: a parent before its children
   tree_cputime.c    the formulas of the CPU time
   by_pid.c          Process and members on all other systems, by rusage_read_process()
   ../_backends/linux/members.c
                     members on Linux, by the files of /proc; process.c beside it: Process

   Believe the parent ID in a process's own record, which setting the clock does not change. Do not
   believe a list of processes, which may be out of date: a listed process becomes a member if its
   own record names a member as its parent, and if that member is still alive afterwards.

   A reading works on the tree itself, after a copy was made. If any of its calls fails, the copy
   takes its place: a reading that fails changes nothing that a later one relies on.

   Therefore a question to the kernel has three results: yes, no, and an errno if it is unknown. */

#pragma once

#include <stdlib.h>

#include "rusage.h"

#ifndef RUSAGE_NO_PROCESS
/* There is no such process, it has ended, or the number is the ID of a thread. */
#define RUSAGE_NO_PROCESS ESRCH
#define RUSAGE_NO_PERMISSION EPERM
#define RUSAGE_NO_MEMORY ENOMEM
#define RUSAGE_TRY_AGAIN EAGAIN
enum { RUSAGE_PARENT_IDS_DANGLE = 0, RUSAGE_HAS_ZOMBIES = 1 };
#endif

/* What functions for Python return instead of an errno. Interrupted: by a fork, when a thread that
   the child does not have was using the tree. */
enum { RUSAGE_TREE_IN_USE = -1, RUSAGE_TREE_CLOSED = -2, RUSAGE_TREE_INTERRUPTED = -3 };

#ifndef RUSAGE_HAS_HANDLES
typedef char rusage_member_identity; /* there is none */

typedef struct {
    char *buffer; /* for a list of processes */
    int capacity;
} rusage_tree_state;

#ifndef RUSAGE_WAITED_ERROR
#define RUSAGE_WAITED_ERROR 2e-6 /* two times, each cut to a microsecond */
#endif
#endif

/* A zombie has ended, but has not been waited for. */
enum { RUSAGE_LIVES, RUSAGE_ZOMBIE, RUSAGE_UNREAD, RUSAGE_GONE };

/* The parent of a member that could not be read after its parent had ended. */
enum { RUSAGE_PARENT_UNKNOWN = -1 };

/* What a system reads of one process. Unread: only `parent` and `start`, or nothing, or all but the
   proportional set size, which was asked for. */
typedef struct {
    int state, parent;
    int has_times; /* `own` and `waited` were read */
    int is_running; /* or waits for a CPU or a disk; unknown, 0, but on Linux */
    int64_t has_waited; /* for children that may have used no tick: their page faults on Linux */
    int shares_memory; /* it uses its parent's memory, as between vfork(2) and exec */
    int64_t start; /* in a unit of the system; if the clock is set, it moves never, or once */
    int64_t rss, pss; /* bytes */
    double own, waited; /* CPU time, and that of the children that it has waited for, in seconds */
    char name[sizeof((rusage_member_figures *)0)->name];
} rusage_figures;

/* Set the name to a text that a null byte ends, unless it fills its place. */
static inline void rusage_set_name(rusage_figures *figures, const char *text, size_t size)
{
    size_t length = 0;

    while (length < size && length < sizeof figures->name - 1 && text[length] != '\0')
        length++;
    memcpy(figures->name, text, length);
    figures->name[length] = '\0';
}

typedef struct {
    int pid;
    int is_new; /* listed, and not read yet */
    int is_quick; /* this reading has read it, but not the list of its children */
    int is_listed; /* in this reading */
    int is_due; /* the next reading reads it completely: a child of it may have ended */
    rusage_figures now; /* of the last reading */
    int is_counted; /* its figures were read once */
    double own_before; /* the part of `own` that does not count */
    double waited_before; /* `waited` where the accounts begin */
    double ended; /* totals of the children that have ended since */
    double waited_error; /* see tree_cputime.c */
    rusage_member_identity identity;
} rusage_member;

/* See tree_cputime.c. */
typedef struct {
    int is_anchored;
    double readings, lost, before, cputime;
} rusage_sums;

typedef struct {
    int pid, parent;
} rusage_listed;

struct rusage_tree {
    int user; /* 0, or the generation of the process in which a thread uses the tree */
    int is_closed, is_interrupted;
    int64_t opened; /* in the unit of `start` */
    int changed; /* the reading has found an end, or an older process that was not known */
    rusage_member *members;
    int count, capacity;
    rusage_sums sums;
    struct {
        rusage_member *members;
        int count, capacity;
        rusage_sums sums;
    } saved; /* what the last reading has found */
    int *slots; /* a hash table: the index of a member, or -1 */
    int slot_count; /* a power of two */
    rusage_listed *listed;
    int listed_count, listed_capacity;
    int hides_root; /* the root is this process, and does not count: see tree_cputime.c */
    rusage_tree_state system;
};

/* Defined for each system. Functions that return int return 0 or an errno. */

/* Add processes by rusage_tree_add_listed(): all that may be new members, or none if
   rusage_member_read() does it. */
static int rusage_tree_list(rusage_tree *tree);
/* Read a member, and set `now`; a figure that cannot be read stays as it was. The times are read
   before an identification that shows that the process has not been reaped. */
static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss);
/* Set the result if it is known. */
static int rusage_member_lives(rusage_tree *tree, rusage_member *member, int *lives);
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number);
/* Begin and end the tree of a process: `pid` is its root. */
static int rusage_tree_begin(rusage_tree *tree, int pid);
static void rusage_tree_end(rusage_tree *tree);
/* Get the time now, in the unit of `start`. */
static int rusage_tree_now(int64_t *now);
/* The number of forks that have led to this process, and 1. */
static int rusage_generation(void);
/* Set a number in one step if it is as expected; return whether it was. */
static int rusage_exchange(int *number, int expected, int value);
/* Let other threads of Python run for a millisecond; return 1. */
static int rusage_pause(void);

/* In tree.c. */
static int rusage_tree_find(const rusage_tree *tree, int pid);
static int rusage_state_of(const rusage_tree *tree, int pid);
static int rusage_is_hidden(const rusage_tree *tree, const rusage_member *member);
static int rusage_tree_add_listed(rusage_tree *tree, int pid, int parent);

/* Make room in an array for one more element than `count`. */
static int rusage_grow(void **array, int count, int *capacity, size_t size)
{
    int larger = *capacity * 2 + 16;
    void *grown;

    if (count < *capacity)
        return 0;
    if (larger <= count)
        larger = count + 1;
    grown = realloc(*array, (size_t)larger * size);
    if (grown == NULL)
        return RUSAGE_NO_MEMORY;
    *array = grown;
    *capacity = larger;
    return 0;
}
