/* Included, not compiled: the walk over a process and its descendants, and the sums. */

#include "tree_members.c"
#include "tree_cputime.c"

/* --- One reading --- */

/* Read a member for the first time. Its parent has been read after it was listed; if the parent had ended then, another
   process may have had the parent's number. */
static int rusage_member_read_first(rusage_tree *tree, int index, int wants_pss)
{
    rusage_member *member = &tree->members[index];
    int parent = rusage_tree_find(tree, member->parent), listed_parent = member->parent, error;
    int64_t listed_start = member->start;

    if (index > 0 && rusage_state_of(tree, member->parent) == RUSAGE_GONE) {
        member->state = RUSAGE_GONE;
        return 0;
    }
    error = rusage_member_read(tree, member, wants_pss);
    member = &tree->members[index];
    if (error != 0 || member->state == RUSAGE_GONE)
        return error;
    if (member->state == RUSAGE_UNREAD) {
        member->is_new = 0;
        if (tree->is_opening && parent >= 0)
            tree->members[parent].may_miss_older = 1;
        return 0;
    }
    if (index > 0 && listed_start == 0
        && (member->parent != listed_parent || member->start < tree->members[parent].start)) {
        member->state = RUSAGE_GONE;    /* another process with this number */
        return 0;
    }
    /* A list that was complete had all older ones. */
    if (tree->is_opening || member->start < tree->opened
        || (member->start == tree->opened && tree->members[parent].may_miss_older)) {
        member->first = member->last;
        member->first.waited += RUSAGE_WAITED_ERROR;
    }
    member->is_new = 0;
    return 0;
}

/* Remove the members that have been reaped, children before their parents. */
static int rusage_tree_settle(rusage_tree *tree)
{
    int i, kept = 0;

    for (i = tree->count - 1; i >= 0; i--) {
        rusage_member *member = &tree->members[i];
        int parent;

        if (member->state != RUSAGE_LIVES)
            rusage_member_give_up(tree, member);
        if (member->state != RUSAGE_GONE && !(member->is_new && i > 0))
            continue;
        parent = rusage_tree_find(tree, member->parent);
        if (parent >= 0)
            tree->members[parent].changed = 1;
        if (!member->is_new)
            rusage_tree_bury(tree, i);
        rusage_member_close(tree, member);
        member->state = RUSAGE_GONE;
    }
    for (i = 0; i < tree->count; i++)
        if (tree->members[i].state != RUSAGE_GONE)
            tree->members[kept++] = tree->members[i];
    tree->count = kept;
    return tree->slot_count == 0 ? 0 : rusage_tree_index(tree);
}

static int rusage_tree_read(rusage_tree *tree, int wants_pss)
{
    int i, error, later;

    for (i = 0; i < tree->count; i++)
        tree->members[i].changed = 0;
    tree->listed_count = 0;
    error = rusage_tree_list(tree);
    if (error == 0)
        error = rusage_tree_adopt(tree);
    for (i = 0; error == 0 && i < tree->count; i++) {
        tree->listed_count = 0;
        if (tree->members[i].is_new)
            error = rusage_member_read_first(tree, i, wants_pss);
        else
            error = rusage_member_read(tree, &tree->members[i], wants_pss);
        if (error == 0 && tree->members[i].state == RUSAGE_LIVES)
            rusage_member_decide(&tree->members[i]);
        if (error == 0 && tree->members[i].state != RUSAGE_GONE)
            error = rusage_tree_adopt(tree);
    }
    later = rusage_tree_settle(tree);
    return error != 0 ? error : later;
}

/* --- The opening --- */

/* Read what each member had used before the opening. Children come first: a child that is waited for before its parent is
   read is not in the parent's growth. */
static int rusage_tree_read_before(rusage_tree *tree)
{
    int i, error;

    tree->orphans = tree->readings = 0;
    for (i = tree->count - 1; i >= 0; i--) {
        rusage_member *member = &tree->members[i];

        tree->listed_count = 0;
        error = rusage_member_read(tree, member, 0);
        if (error != 0)
            return error;
        member->ended = member->undecided = member->before = member->undecided_before = member->taken_off = 0;
        member->is_new = member->state == RUSAGE_GONE;      /* nothing of it counts */
        member->first = member->last;
        member->first.waited += RUSAGE_WAITED_ERROR;
    }
    return 0;
}

/* List twice, and again until the list was complete. Lists of children are complete if none has changed meanwhile. */
static int rusage_tree_list_all(rusage_tree *tree)
{
    int i, attempt, error = 0, again = 1;

    for (attempt = 0; error == 0 && again && attempt < 10; attempt++) {
        tree->opened = rusage_tree_now();
        error = rusage_tree_read(tree, 0);
        if (!tree->by_parent)
            for (i = 0; i < tree->count; i++)
                tree->members[i].changed = !rusage_tree_is_complete(tree);
        again = attempt == 0;
        for (i = 0; i < tree->count; i++)
            again |= tree->members[i].changed;
    }
    for (i = 0; i < tree->count; i++)
        tree->members[i].may_miss_older |= tree->members[i].changed;
    return error;
}

static int rusage_tree_open_root(rusage_tree *tree, int pid)
{
    int error = rusage_tree_begin(tree, pid);

    tree->is_opening = 1;
    /* cppcheck-suppress knownConditionTrueFalse; on systems that list all processes only */
    if (error == 0)
        error = rusage_tree_add(tree, pid, 0, 0);
    if (error == 0)
        error = rusage_member_read(tree, &tree->members[0], 0);
    if (error != 0)
        return error;
    if (tree->members[0].state == RUSAGE_GONE)
        return RUSAGE_NO_PROCESS;
    if (tree->members[0].state == RUSAGE_UNREAD)
        return RUSAGE_NO_PERMISSION;
    tree->members[0].is_new = 0;
    error = rusage_tree_list_all(tree);
    if (error == 0)
        error = rusage_tree_read_before(tree);
    tree->is_opening = 0;
    return error;
}

/* --- The functions for Python. They release the GIL, since a reading may take milliseconds. --- */

static void rusage_tree_free(rusage_tree *tree)
{
    int i;

    for (i = 0; i < tree->count; i++)
        rusage_member_close(tree, &tree->members[i]);
    rusage_tree_end(tree);
    free(tree->members);
    free(tree->slots);
    free(tree->listed);
    free(tree);
}

static int rusage_tree_open(rusage_tree **opened, int pid)
{
    rusage_tree *tree = calloc(1, sizeof *tree);
    int error;

    *opened = NULL;
    if (tree == NULL)
        return RUSAGE_NO_MEMORY;
    {
        RUSAGE_RELEASE_GIL;
        error = rusage_tree_open_root(tree, pid);
        RUSAGE_RETAKE_GIL;
    }
    if (error != 0)
        rusage_tree_free(tree);
    else
        *opened = tree;
    return error;
}

/* Close a tree that is open. */
static void rusage_tree_close(rusage_tree **opened)
{
    rusage_tree *tree = *opened;

    *opened = NULL;
    if (tree != NULL)
        rusage_tree_free(tree);
}

/* Read all members, and copy the figures of those that live and were read: as many as there is room for. */
static int rusage_tree_sample(rusage_tree *tree, int wants_pss, rusage_sample *sample, rusage_member_figures *figures,
                              int room)
{
    int i, error;

    memset(sample, 0, sizeof *sample);
    {
        RUSAGE_RELEASE_GIL;
        error = rusage_tree_read(tree, wants_pss);
        RUSAGE_RETAKE_GIL;
    }
    if (error != 0)
        return error;
    for (i = 0; i < tree->count; i++) {
        const rusage_member *member = &tree->members[i];

        sample->processes += member->state == RUSAGE_LIVES || member->state == RUSAGE_UNREAD;
        sample->unread += member->state == RUSAGE_UNREAD;
        if (member->state == RUSAGE_LIVES) {
            sample->rss += member->rss;
            sample->pss += member->pss;
            if (sample->figures < room) {
                figures[sample->figures].pid = member->pid;
                figures[sample->figures].rss = member->rss;
                figures[sample->figures].cputime = rusage_member_own(member);
                sample->figures++;
            }
        }
    }
    sample->cputime = rusage_tree_cputime(tree);
    return 0;
}

/* Send a signal to each member, to this process last. Return the last error of a member that has not ended. */
static int rusage_tree_signal(rusage_tree *tree, int number)
{
    int i, own = -1, error = 0, failed;

    for (i = 0; i < tree->count; i++) {
        rusage_member *member = &tree->members[i];

        if (rusage_is_own(member->pid))
            own = i;
        else if (member->state == RUSAGE_LIVES || member->state == RUSAGE_UNREAD) {
            failed = rusage_member_signal(tree, member, number);
            if (failed != 0 && failed != RUSAGE_NO_PROCESS)
                error = failed;
        }
    }
    if (own >= 0) {
        failed = rusage_member_signal(tree, &tree->members[own], number);
        if (failed != 0)
            error = failed;
    }
    return error;
}
