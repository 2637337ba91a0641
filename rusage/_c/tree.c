/* The walk over a process and its descendants, and the sums.

   Processes start and end during the walk, and no system shows all of them at one moment. If a
   parent ends, its child gets another parent, and a walk that starts anew at the root each time
   would not find the child again; so a member stays one until it ends. If a process ends, a process
   of others can get its ID, and would become a member with all its children; so the start of a
   process has to be the same, and a new child is believed only if its parent still lives after it
   was read. When a child ends, its CPU time would leave the sum. Its parent, which is read before
   it, may have the time already, and then it must not count twice (see tree_cputime.c). */

#include "tree.h"

/* --- The members, by process ID --- */

static int rusage_tree_slot(const rusage_tree *tree, int pid)
{
    unsigned int mask = (unsigned int)tree->slot_count - 1;
    unsigned int slot = (unsigned int)pid * 2654435761u & mask;

    while (tree->slots[slot] >= 0 && tree->members[tree->slots[slot]].pid != pid)
        slot = (slot + 1) & mask;
    return (int)slot;
}

/* Return the index of the member with a process ID, or -1. */
static int rusage_tree_find(const rusage_tree *tree, int pid)
{
    return tree->slot_count == 0 ? -1 : tree->slots[rusage_tree_slot(tree, pid)];
}

/* Return whether a member is in no sum but for the children that it has waited for. */
static int rusage_is_hidden(const rusage_tree *tree, const rusage_member *member)
{
    return tree->hides_root && member == &tree->members[0];
}

/* Return the state of a process: RUSAGE_GONE if it is no member. A parent has been read before its
   children. */
static int rusage_state_of(const rusage_tree *tree, int pid)
{
    int index = rusage_tree_find(tree, pid);

    return index < 0 ? RUSAGE_GONE : tree->members[index].now.state;
}

/* Enter all members into the hash table, which is large enough. */
static void rusage_tree_index(rusage_tree *tree)
{
    int i;

    for (i = 0; i < tree->slot_count; i++)
        tree->slots[i] = -1;
    for (i = 0; i < tree->count; i++)
        if (tree->members[i].pid != 0) /* not moved */
            tree->slots[rusage_tree_slot(tree, tree->members[i].pid)] = i;
}

/* Make room for one more member. The hash table never shrinks, and at least half of it is free. */
static int rusage_tree_make_room(rusage_tree *tree)
{
    int wanted = tree->slot_count == 0 ? 64 : tree->slot_count, *slots;
    int error =
        rusage_grow((void **)&tree->members, tree->count, &tree->capacity, sizeof *tree->members);

    if (error != 0)
        return error;
    while (wanted < tree->capacity * 2)
        wanted *= 2;
    if (wanted == tree->slot_count)
        return 0;
    slots = realloc(tree->slots, (size_t)wanted * sizeof *slots);
    if (slots == NULL)
        return RUSAGE_NO_MEMORY;
    tree->slots = slots;
    tree->slot_count = wanted;
    rusage_tree_index(tree);
    return 0;
}

static int rusage_tree_add_member(rusage_tree *tree, int pid, int parent)
{
    int error = rusage_tree_make_room(tree);
    rusage_member *member;

    if (error != 0)
        return error;
    member = &tree->members[tree->count];
    memset(member, 0, sizeof *member);
    member->pid = pid;
    member->now.parent = parent;
    member->now.state = RUSAGE_UNREAD;
    member->is_new = 1;
    tree->slots[rusage_tree_slot(tree, pid)] = tree->count++;
    return 0;
}

/* Move a member to the end, behind its new parent; in its place stays a member that is no
   process. */
static int rusage_tree_move(rusage_tree *tree, int index)
{
    int slot, error = rusage_tree_make_room(tree);

    if (error != 0)
        return error;
    slot = rusage_tree_slot(tree, tree->members[index].pid);
    tree->members[tree->count] = tree->members[index];
    memset(&tree->members[index], 0, sizeof tree->members[index]);
    tree->members[index].now.state = RUSAGE_GONE;
    tree->slots[slot] = tree->count++;
    return 0;
}

static int rusage_tree_add_listed(rusage_tree *tree, int pid, int parent)
{
    int error = rusage_grow((void **)&tree->listed, tree->listed_count, &tree->listed_capacity,
                            sizeof *tree->listed);

    if (error == 0) {
        tree->listed[tree->listed_count].pid = pid;
        tree->listed[tree->listed_count++].parent = parent;
    }
    return error;
}

/* Make members of the processes in the list whose parents are. */
static int rusage_tree_add_descendants(rusage_tree *tree)
{
    int i, error = 0, added;

    do
        for (i = added = 0; error == 0 && i < tree->listed_count; i++) {
            const rusage_listed *one = &tree->listed[i];
            int found = rusage_tree_find(tree, one->pid);

            if (found >= 0)
                tree->members[found].is_listed = 1;
            else if (rusage_tree_find(tree, one->parent) >= 0) {
                error = rusage_tree_add_member(tree, one->pid, one->parent);
                added++;
            }
        }
    while (error == 0 && added > 0);
    return error;
}

#include "tree_cputime.c"

/* --- One reading --- */

/* Find out whether a process that was read for the first time is a child of a member. */
static int rusage_member_belongs(rusage_tree *tree, const rusage_member *member, int *belongs)
{
    int index = rusage_tree_find(tree, member->now.parent);
    rusage_member *parent = index < 0 ? NULL : &tree->members[index];

    *belongs = 0;
    if (parent == NULL || parent->now.state == RUSAGE_GONE)
        return 0;
    /* The ID can belong to a later process than the parent; a child is younger than its parent. */
    if (RUSAGE_PARENT_IDS_DANGLE)
        *belongs = member->now.start >= parent->now.start;
    else if (parent->now.state == RUSAGE_UNREAD)
        *belongs = 1;
    else
        return rusage_member_lives(tree, parent, belongs);
    return 0;
}

/* Read a member, which then
   - dangles: its parent is no member, so that it is none;
   - moves: its parent stands later in the list (it was adopted by a process that is no ancestor,
     see setns(2)), and the member is read again behind it;
   - or belongs where it is. */
static int rusage_tree_read_member(rusage_tree *tree, int index, int wants_pss)
{
    rusage_member *member = &tree->members[index];
    int is_hidden = rusage_is_hidden(tree, member), belongs = 1, moves;
    int error = rusage_member_read(tree, member, wants_pss && !is_hidden);

    if (error != 0 || member->now.state == RUSAGE_GONE)
        return error;
    if (is_hidden)
        member->now.own = 0;
    if (member->is_new && index > 0)
        error = rusage_member_belongs(tree, member, &belongs);
    if (error != 0)
        return error;
    moves = rusage_tree_find(tree, member->now.parent) > index;
    if (!belongs) {
        member->now.state = RUSAGE_GONE;
        return 0;
    }
    if (moves)
        return rusage_tree_move(tree, index);
    if (!member->is_counted && (member->now.has_times || member->now.state != RUSAGE_UNREAD))
        rusage_tree_count_in(tree, member);
    member->is_new = 0;
    return 0;
}

/* A member that has done nothing may have adopted the children of a descendant that has ended. That
   one is a member that has ended, or has been started by a member that has run. So if a member has
   run, or ended, its ancestors are read completely, for their children: into a copy, since what
   they have waited for meanwhile counts as they were read, before their children. (Of a member that
   has entered another PID namespace, the first process of that one adopts children; it is read when
   it runs.) */
static int rusage_tree_find_adopted(rusage_tree *tree, int index)
{
    rusage_member copy;
    int error = 0;

    while (error == 0 && !tree->members[index].is_quick) {
        index = rusage_tree_find(tree, tree->members[index].now.parent);
        if (index < 0 || !tree->members[index].is_quick)
            break;
        tree->members[index].is_quick = tree->listed_count = 0;
        copy = tree->members[index];
        copy.is_due = 1;
        error = rusage_member_read(tree, &copy, 0);
        if (error == 0 && copy.now.state != RUSAGE_GONE) /* they may be another process's */
            error = rusage_tree_add_descendants(tree);
    }
    return error;
}

/* Forget the parent of a member that could not be read, if that has ended: the member has another
   one now. */
static void rusage_tree_forget_parent(const rusage_tree *tree, rusage_member *member)
{
    int index = rusage_tree_find(tree, member->now.parent);
    int state = index < 0 ? RUSAGE_LIVES : tree->members[index].now.state;

    if (member->now.state == RUSAGE_UNREAD && (state == RUSAGE_GONE || state == RUSAGE_ZOMBIE))
        member->now.parent = RUSAGE_PARENT_UNKNOWN;
}

/* Remove the members that are gone. */
static void rusage_tree_compact(rusage_tree *tree)
{
    int i, kept = 0;

    for (i = 0; i < tree->count; i++)
        if (tree->members[i].now.state != RUSAGE_GONE)
            tree->members[kept++] = tree->members[i];
    tree->count = kept;
    rusage_tree_index(tree);
}

/* Count the members that have been reaped, children before their parents. */
static int rusage_tree_settle(rusage_tree *tree)
{
    int i, parent, error = 0;

    for (i = tree->count - 1; error == 0 && i >= 0; i--) {
        rusage_member *member = &tree->members[i];

        if (member->now.state != RUSAGE_GONE)
            rusage_tree_forget_parent(tree, member);
        else if (member->pid != 0) { /* not moved */
            if (member->is_new)     /* it may be older than the opening; where IDs dangle, what is
                                       no child of a member is listed in each reading */
                tree->changed |= !RUSAGE_PARENT_IDS_DANGLE;
            else
                error = rusage_tree_bury(tree, member);
            /* an end may be false, or the member too new: its list shows the member again */
            parent = rusage_tree_find(tree, member->now.parent);
            if (parent >= 0)
                tree->members[parent].is_due = 1;
        }
    }
    return error;
}

/* Read all members. All that can fail comes before the last step. */
static int rusage_tree_read_all(rusage_tree *tree, int wants_pss)
{
    int i, error;

    tree->changed = tree->listed_count = 0;
    for (i = 0; i < tree->count; i++)
        tree->members[i].is_quick = tree->members[i].is_listed = 0;
    error = rusage_tree_list(tree);
    if (error == 0)
        error = rusage_tree_add_descendants(tree);
    for (i = 0; error == 0 && i < tree->count; i++) {
        tree->listed_count = 0;
        error = rusage_tree_read_member(tree, i, wants_pss);
        if (error == 0 && tree->members[i].now.state != RUSAGE_GONE)
            error = rusage_tree_add_descendants(tree);
        if (error == 0)
            error = rusage_tree_find_adopted(tree, i);
    }
    if (error == 0)
        error = rusage_tree_settle(tree);
    if (error == 0)
        rusage_tree_compact(tree);
    return error;
}

static int rusage_tree_save(rusage_tree *tree)
{
    int error = rusage_grow((void **)&tree->saved.members, tree->count, &tree->saved.capacity,
                            sizeof *tree->saved.members);

    if (error != 0)
        return error;
    memcpy(tree->saved.members, tree->members, (size_t)tree->count * sizeof *tree->members);
    tree->saved.count = tree->count;
    tree->saved.sums = tree->sums;
    return 0;
}

/* Undo a reading that has failed. */
static void rusage_tree_restore(rusage_tree *tree)
{
    rusage_member *members = tree->members;
    int capacity = tree->capacity;

    tree->members = tree->saved.members;
    tree->capacity = tree->saved.capacity;
    tree->count = tree->saved.count;
    tree->sums = tree->saved.sums;
    tree->saved.members = members;
    tree->saved.capacity = capacity;
    rusage_tree_index(tree);
}

/* Read all members, or change nothing. */
static int rusage_tree_read(rusage_tree *tree, int wants_pss)
{
    int error = rusage_tree_save(tree);

    if (error != 0)
        return error;
    error = rusage_tree_read_all(tree, wants_pss);
    if (error != 0)
        rusage_tree_restore(tree);
    return error;
}

/* --- The opening --- */

/* Read twice, and again until a reading finds no end, and nothing older that was not known. If the
   root is hidden, all of its descendants count from their starts, and need not be known. */
static int rusage_tree_open_root(rusage_tree *tree, int pid)
{
    int attempt, state, error = rusage_tree_begin(tree, pid);

    if (error == 0)
        error = rusage_tree_add_member(tree, pid, 0);
    if (error != 0)
        return error;
    error = rusage_member_read(tree, &tree->members[0], 0);
    if (error != 0)
        return error;
    state = tree->members[0].now.state;
    if (state == RUSAGE_GONE || (!RUSAGE_HAS_ZOMBIES && state == RUSAGE_ZOMBIE))
        return RUSAGE_NO_PROCESS;
    if (state == RUSAGE_UNREAD)
        return RUSAGE_NO_PERMISSION;
    tree->members[0].is_new = 0;
    if (tree->hides_root) {
        tree->members[0].now.own = 0;
        rusage_tree_begin_cputime(tree, 1);
        return 0;
    }
    error = rusage_tree_now(&tree->opened);
    for (attempt = 0; error == 0 && (attempt < 2 || tree->changed) && attempt < 10; attempt++)
        error = rusage_tree_read(tree, 0);
    rusage_tree_begin_cputime(tree, !tree->changed);
    return error;
}

/* --- The functions for Python. They release the GIL, since a reading may take milliseconds. --- */

/* Begin to use a tree; return 0 or one of the codes in tree.h. A user of another generation is a
   thread that this process, a forked child, does not have. */
static int rusage_tree_enter(rusage_tree *tree)
{
    int user = tree->user, generation = rusage_generation(), code = 0;

    if (user == generation || !rusage_exchange(&tree->user, user, generation))
        return RUSAGE_TREE_IN_USE;
    if (user != 0)
        tree->is_interrupted = 1;
    if (tree->is_closed)
        code = RUSAGE_TREE_CLOSED;
    else if (tree->is_interrupted)
        code = RUSAGE_TREE_INTERRUPTED;
    if (code != 0)
        rusage_exchange(&tree->user, generation, 0);
    return code;
}

static void rusage_tree_leave(rusage_tree *tree)
{
    rusage_exchange(&tree->user, tree->user, 0);
}

/* Free all but the structure itself, which says that the tree is closed. */
static void rusage_tree_release(rusage_tree *tree)
{
    if (!tree->is_closed && !tree->is_interrupted) {
        rusage_tree_end(tree);
        free(tree->members);
        free(tree->saved.members);
        free(tree->slots);
        free(tree->listed);
    }
    tree->is_closed = 1;
}

/* Also of a tree that is interrupted. */
static int rusage_tree_close(rusage_tree *tree)
{
    int code = rusage_tree_enter(tree);

    if (code == 0) {
        rusage_tree_release(tree);
        rusage_tree_leave(tree);
    }
    return code;
}

/* When no function uses the tree any more. */
static void rusage_tree_free(rusage_tree **opened)
{
    rusage_tree *tree = *opened;

    *opened = NULL;
    if (tree == NULL)
        return;
    if (tree->user == 0)
        rusage_tree_release(tree);
    free(tree);
}

/* A negative number: this process's, which is left out of samples and signals. */
static int rusage_tree_open(rusage_tree **opened, int pid)
{
    rusage_tree *tree = calloc(1, sizeof *tree);
    int error;

    *opened = NULL;
    if (tree == NULL)
        return RUSAGE_NO_MEMORY;
    tree->hides_root = pid < 0;
    {
        RUSAGE_RELEASE_GIL;
        error = rusage_tree_open_root(tree, pid < 0 ? -pid : pid);
        RUSAGE_RETAKE_GIL;
    }
    *opened = tree;
    if (error != 0)
        rusage_tree_free(opened);
    return error;
}

/* Copy the figures of those that live and were read: as many as there is room for. */
static void rusage_tree_copy(const rusage_tree *tree, rusage_sample *sample,
                             rusage_member_figures *figures, int room)
{
    int i;

    for (i = 0; i < tree->count; i++) {
        const rusage_member *member = &tree->members[i];
        int is_read = member->now.state == RUSAGE_LIVES;
        int is_unread = member->now.state == RUSAGE_UNREAD;

        if (rusage_is_hidden(tree, member))
            continue;
        sample->zombies += member->now.state == RUSAGE_ZOMBIE;
        sample->processes += is_read || is_unread;
        sample->unread += is_unread;
        if (is_read || member->now.state == RUSAGE_ZOMBIE) /* its parent has not waited for it */
            sample->total += rusage_member_total(member);
        if (!is_read)
            continue;
        sample->rss += member->now.rss;
        if (sample->largest < member->now.rss)
            sample->largest = member->now.rss;
        sample->pss += member->now.pss;
        if (sample->largest_pss < member->now.pss)
            sample->largest_pss = member->now.pss;
        if (sample->figures < room) {
            figures[sample->figures].pid = member->pid;
            figures[sample->figures].rss = member->now.rss;
            figures[sample->figures].is_running = member->now.is_running;
            figures[sample->figures].has_waited =
                member->now.has_waited + (int64_t)(member->now.waited * 1e6);
            figures[sample->figures].cputime = rusage_member_own(member);
            memcpy(figures[sample->figures].name, member->now.name, sizeof member->now.name);
            sample->figures++;
        }
    }
}

/* Read all members. */
static int rusage_tree_sample(rusage_tree *tree, int wants_pss, rusage_sample *sample,
                              rusage_member_figures *figures, int room)
{
    int code = rusage_tree_enter(tree), attempt = 0;

    memset(sample, 0, sizeof *sample);
    if (code != 0)
        return code;
    {
        RUSAGE_RELEASE_GIL;
        do {
            code = rusage_tree_read(tree, wants_pss);
            if (code == 0)
                sample->cputime = rusage_tree_cputime(tree);
        } while (code == 0 && !tree->sums.is_anchored && attempt++ < 2);
        RUSAGE_RETAKE_GIL;
    }
    if (code == 0)
        rusage_tree_copy(tree, sample, figures, room);
    rusage_tree_leave(tree);
    return code;
}

/* Send a signal to each member, to this process, `self`, last. Return the last error of a member
   that has not ended. */
static int rusage_tree_signal(rusage_tree *tree, int number, int self)
{
    int i, own = -1, failed, code = rusage_tree_enter(tree);

    if (code != 0)
        return code;
    for (i = 0; i < tree->count; i++) {
        rusage_member *member = &tree->members[i];

        if (rusage_is_hidden(tree, member))
            continue;
        if (member->pid == self)
            own = i;
        else if (member->now.state == RUSAGE_LIVES || member->now.state == RUSAGE_UNREAD) {
            failed = rusage_member_signal(tree, member, number);
            if (failed != 0 && failed != RUSAGE_NO_PROCESS)
                code = failed;
        }
    }
    if (own >= 0) {
        failed = rusage_member_signal(tree, &tree->members[own], number);
        if (failed != 0)
            code = failed;
    }
    rusage_tree_leave(tree);
    return code;
}
