/* Process, and the members of a tree, by process ID and start time: on systems without handles for
   processes. */

#include "tree.h"

/* Defined for each of these systems. */

/* Read a process, and its usage unless `call` is NULL; return RUSAGE_NO_PROCESS if there is none,
   and RUSAGE_TRY_AGAIN if only the parent of a living process can be read now. `start` is read
   last, or with the rest. What is not known, such as the times of a zombie, stays as it was. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call);

/* Set the CPU time and, unless `call` is NULL, the record. */
static void rusage_set_usage(rusage_figures *figures, const rusage_values *values, int64_t hz,
                             rusage_call *call)
{
    figures->has_times = 1;
    figures->own = rusage_quotient(values->utime + values->stime, hz);
    if (call != NULL)
        rusage_convert_values(values, hz, call);
}

/* --- Process --- */

/* No two processes get the same number within a microsecond, to which OpenBSD rounds. */
static int rusage_is_same(const rusage_figures *figures, int64_t start)
{
    return figures->start >= start - 1 && figures->start <= start + 1;
}

/* The opened process, or the one that has its number now. */
static int rusage_process_read(const rusage_process *process, rusage_figures *figures,
                               rusage_call *call)
{
    int error, attempts = 0;

    memset(figures, 0, sizeof *figures);
    figures->start = process->is_open ? process->start : 0;
    do
        error = rusage_read_process(process->pid, figures, call);
    while (error == RUSAGE_TRY_AGAIN && ++attempts < 1000 && rusage_pause());
    if (error != 0)
        return error;
    if (figures->state == RUSAGE_UNREAD)
        return RUSAGE_NO_PERMISSION;
    if (figures->state == RUSAGE_ZOMBIE
        || (process->is_open && !rusage_is_same(figures, process->start)))
        return RUSAGE_NO_PROCESS;
    return 0;
}

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    rusage_figures figures;
    int error;

    process->pid = pid;
    process->is_open = 0;
    error = rusage_process_read(process, &figures, call);
    process->start = figures.start;
    process->measured = UINT32_MAX;
    process->is_open = error == 0;
    return error;
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    rusage_figures figures;

    return rusage_process_read(process, &figures, call);
}

static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call)
{
    rusage_figures figures;
    int error = rusage_process_read(process, &figures, NULL);

    return error != 0 ? -(int64_t)error : figures.rss;
}

static void rusage_process_close(rusage_process *process)
{
    process->is_open = 0;
}

/* --- Members --- */

/* Read the process that has the member's number, if it is the member. NetBSD and OpenBSD do not
   report the start of a zombie. */
static int rusage_read_same_process(const rusage_member *member, rusage_figures *figures)
{
    int error;

    *figures = member->now;
    figures->shares_memory = 0;
    error = rusage_read_process(member->pid, figures, NULL);
    if (error == 0 && figures->start != 0 && member->now.start != 0
        && !rusage_is_same(figures, member->now.start))
        error = RUSAGE_NO_PROCESS;
    return error;
}

static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    rusage_figures figures;
    int error = rusage_read_same_process(member, &figures);

    if (error == RUSAGE_NO_PROCESS) {
        member->now.state = RUSAGE_GONE;
        return 0;
    }
    if (error == RUSAGE_TRY_AGAIN) { /* what was read before still counts */
        member->now.parent = figures.parent;
        return 0;
    }
    if (error != 0)
        return error;
    if (figures.shares_memory && rusage_state_of(tree, figures.parent) == RUSAGE_LIVES)
        figures.rss = 0; /* it is in the sum */
    member->now = figures;
    return 0;
}

static int rusage_member_lives(rusage_tree *tree, rusage_member *member, int *lives)
{
    rusage_figures figures;
    int error = rusage_read_same_process(member, &figures);

    *lives = error == RUSAGE_TRY_AGAIN || (error == 0 && figures.state != RUSAGE_ZOMBIE);
    return error == RUSAGE_TRY_AGAIN || error == RUSAGE_NO_PROCESS ? 0 : error;
}

static int rusage_tree_begin(rusage_tree *tree, int pid)
{
    return 0;
}

static void rusage_tree_end(rusage_tree *tree)
{
    free(tree->system.buffer);
}

#include "tree.c"
