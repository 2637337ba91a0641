/* Included, not compiled: the members of a tree, which are found by their process IDs, and how they are added. */

#include "tree.h"

static int rusage_tree_slot(const rusage_tree *tree, int pid)
{
    unsigned int slot = (unsigned int)pid * 2654435761u, mask = (unsigned int)tree->slot_count - 1;

    for (slot &= mask; tree->slots[slot] >= 0 && tree->members[tree->slots[slot]].pid != pid;
         slot = (slot + 1) & mask) {
    }
    return (int)slot;
}

/* Return the index of the member with a process ID, or -1. */
static int rusage_tree_find(const rusage_tree *tree, int pid)
{
    return tree->slot_count == 0 ? -1 : tree->slots[rusage_tree_slot(tree, pid)];
}

/* Return the state of a process: RUSAGE_GONE if it is no member. A parent has been read before its children. */
static int rusage_state_of(const rusage_tree *tree, int pid)
{
    int index = rusage_tree_find(tree, pid);

    return index < 0 ? RUSAGE_GONE : tree->members[index].state;
}

static int rusage_tree_index(rusage_tree *tree)
{
    int i, wanted = tree->slot_count == 0 ? 64 : tree->slot_count;

    while (wanted < tree->capacity * 2)
        wanted *= 2;
    if (wanted != tree->slot_count) {
        int *slots = realloc(tree->slots, (size_t)wanted * sizeof *slots);

        if (slots == NULL)
            return RUSAGE_NO_MEMORY;
        tree->slots = slots;
        tree->slot_count = wanted;
    }
    for (i = 0; i < tree->slot_count; i++)
        tree->slots[i] = -1;
    for (i = 0; i < tree->count; i++)
        tree->slots[rusage_tree_slot(tree, tree->members[i].pid)] = i;
    return 0;
}

static int rusage_tree_add(rusage_tree *tree, int pid, int parent, int64_t start)
{
    rusage_member *member;
    int error;

    error = rusage_tree_grow((void **)&tree->members, tree->count, &tree->capacity, sizeof *tree->members);
    if (error == 0 && tree->slot_count < tree->capacity * 2)    /* also if it could not grow before */
        error = rusage_tree_index(tree);
    if (error != 0)
        return error;
    member = &tree->members[tree->count];
    memset(member, 0, sizeof *member);
    member->pid = pid;
    member->parent = parent;
    member->start = start;
    member->state = RUSAGE_UNREAD;
    member->is_new = 1;
    tree->slots[rusage_tree_slot(tree, pid)] = tree->count++;
    return 0;
}

static int rusage_tree_found(rusage_tree *tree, int pid, int parent, int64_t start)
{
    int error =
        rusage_tree_grow((void **)&tree->listed, tree->listed_count, &tree->listed_capacity, sizeof *tree->listed);
    rusage_listed one;

    if (error == 0) {
        one.pid = pid;
        one.parent = parent;
        one.start = start;
        tree->listed[tree->listed_count++] = one;
    }
    return error;
}

/* Make members of the processes in the list whose parents are. A parent's process ID may have been reused: a parent is
   older than its child. */
static int rusage_tree_adopt(rusage_tree *tree)
{
    int i, parent, error = 0, added;

    do
        for (i = added = 0; error == 0 && i < tree->listed_count; i++) {
            const rusage_listed *one = &tree->listed[i];

            parent = rusage_tree_find(tree, one->parent);
            if (parent < 0 || one->pid == one->parent || rusage_tree_find(tree, one->pid) >= 0
                || (one->start != 0 && one->start < tree->members[parent].start))
                continue;
            tree->members[parent].changed = 1;
            error = rusage_tree_add(tree, one->pid, one->parent, one->start);
            added++;
        }
    while (error == 0 && added > 0);
    return error;
}
