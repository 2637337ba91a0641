/* A process and its descendants. tree.c walks over them and tree_cputime.c adds up their CPU time; each system lists
   processes and reads one of them. */

#pragma once

#include <stdlib.h>

#include "process.h"
#include "tree_struct.cdef"

/* What a reading finds of a member. A zombie has ended, but has not been waited for. */
enum { RUSAGE_LIVES, RUSAGE_ZOMBIE, RUSAGE_UNREAD, RUSAGE_GONE };

/* CPU times in seconds: the process's own, and the time of the children that it has waited for. */
typedef struct {
    double own, waited;
} rusage_times;

typedef struct {
    int pid, parent;                /* parent: the process ID of the parent at the last reading */
    int64_t start;                  /* in a unit of the system; 0 before the first reading if the list has no times */
    int state;                      /* at the last reading */
    int is_new;                     /* listed, and not read yet */
    int changed;                    /* a child was added or has ended in this reading, or its threads are others */
    int may_miss_older;             /* the first listing may have missed a child that is older than the opening */
    int64_t rss, pss;               /* bytes */
    rusage_times first, last;       /* first: before the opening */
    double ended, undecided;        /* see tree_cputime.c */
    double before, undecided_before, taken_off;
    rusage_member_handle handle;    /* the system's */
} rusage_member;

/* A process in a list. */
typedef struct {
    int pid, parent;
    int64_t start;                  /* 0: unknown */
} rusage_listed;

struct rusage_tree {
    int is_opening;
    int by_parent;                  /* the system lists the children of a process, not all processes */
    int64_t opened;                 /* before the last list of the opening, in the unit of `start` */
    rusage_member *members;         /* each one after its parent */
    int count, capacity;
    int *slots;                     /* a hash table: the index of a member, or -1 */
    int slot_count;                 /* a power of two */
    rusage_listed *listed;
    int listed_count, listed_capacity;
    double readings, orphans;       /* see tree_cputime.c */
    double cputime;                 /* the largest so far */
    rusage_tree_state system;       /* the system's */
};

/* Defined for each system. Functions that return int return 0 or an errno. */

/* Add processes by rusage_tree_found(): all that may be new members, or none if rusage_member_read() does it. */
static int rusage_tree_list(rusage_tree *tree);
/* Read a member, and set `state` and all figures; a figure that cannot be read stays as it was. The times are read before
   an identification that shows that the process has not been reaped. */
static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss);
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number);
static void rusage_member_close(rusage_tree *tree, rusage_member *member);
/* Begin and end the tree of a process: `pid` is its root. */
static int rusage_tree_begin(rusage_tree *tree, int pid);
static void rusage_tree_end(rusage_tree *tree);
/* The time now, in the unit of `start`. */
static int64_t rusage_tree_now(void);
/* Return whether the last list of all processes was complete. */
static int rusage_tree_is_complete(const rusage_tree *tree);
static int rusage_is_own(int pid);

static int rusage_tree_find(const rusage_tree *tree, int pid);
static int rusage_state_of(const rusage_tree *tree, int pid);
static int rusage_tree_found(rusage_tree *tree, int pid, int parent, int64_t start);
static int rusage_tree_adopt(rusage_tree *tree);

/* Make room for one more element than `count`. */
static int rusage_tree_grow(void **array, int count, int *capacity, size_t size)
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
