/* Included, not compiled: the members of a tree on systems that list all processes and have no handles for them. */

#include "tree_by_list.h"
#include "tree.c"

static int rusage_is_own(int pid)
{
    return pid == getpid();
}

static int rusage_by_pid(const void *one, const void *other)
{
    int first = ((const rusage_listed *)one)->pid, second = ((const rusage_listed *)other)->pid;

    return (first > second) - (first < second);
}

/* Return whether a process is in the list whose parent is not. It has a new parent, which may be a member, but whose list
   of children was read before. */
static int rusage_list_is_broken(rusage_tree *tree)
{
    rusage_listed parent = {0, 0, 0};
    int i;

    qsort(tree->listed, (size_t)tree->listed_count, sizeof *tree->listed, rusage_by_pid);
    for (i = 0; i < tree->listed_count; i++) {
        parent.pid = tree->listed[i].parent;
        if (parent.pid != 0
            && bsearch(&parent, tree->listed, (size_t)tree->listed_count, sizeof parent, rusage_by_pid) == NULL)
            return 1;
    }
    return 0;
}

static int rusage_tree_list(rusage_tree *tree)
{
    int error = rusage_list_processes(tree);

    tree->system.broken = error == 0 && tree->is_opening && rusage_list_is_broken(tree);
    return error;
}

static int rusage_tree_is_complete(const rusage_tree *tree)
{
    return !tree->system.broken;
}

/* Read the process that has the member's number, if it is the member. OpenBSD rounds the start, and does not report the
   start of a zombie. */
static int rusage_read_member(const rusage_member *member, rusage_figures *figures)
{
    int error;

    memset(figures, 0, sizeof *figures);
    figures->may_read = 1;
    error = rusage_read_figures(member->pid, figures);
    if (error == 0 && figures->start != 0 && member->start != 0
        && (figures->start < member->start - 1 || figures->start > member->start + 1))
        error = ESRCH;
    return error;
}

/* cppcheck-suppress constParameterPointer; Linux changes the tree */
static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    rusage_figures figures;
    int error = rusage_read_member(member, &figures);

    (void)wants_pss;
    if (error != 0 && error != ESRCH)
        return error;
    if (error == ESRCH)
        member->state = RUSAGE_GONE;
    else if (figures.is_zombie)
        member->state = RUSAGE_ZOMBIE;      /* its last figures stay */
    else {
        member->state = figures.may_read ? RUSAGE_LIVES : RUSAGE_UNREAD;
        member->parent = figures.parent;
        member->start = figures.start;
        if (figures.may_read) {
            member->rss = figures.rss;
            if (figures.uses_parents_memory && rusage_state_of(tree, figures.parent) == RUSAGE_LIVES)
                member->rss = 0;            /* it is in the sum already */
            member->last = figures.times;
        }
    }
    return 0;
}

/* The number may be given to another process between the check and the signal. */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    rusage_figures figures;
    int error = rusage_read_member(member, &figures);

    (void)tree;
    if (error == 0 && kill(member->pid, number) != 0)
        error = errno;
    return error;
}

static void rusage_tree_end(rusage_tree *tree)
{
    free(tree->system.buffer);
}
