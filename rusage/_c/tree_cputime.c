/* The CPU time of a tree: a lower bound that counts no second twice.

   A member counts what it has used since the opening. Of its children that have ended, the larger of two lower bounds
   counts: the growth of the time of the children that it has waited for, without what they had used `before` the opening;
   and `ended`, the last readings of these children.

   A parent is read before its children. So a child that was read as living, or as a zombie, is not in the time of its
   parent at this reading.

   A child is in `undecided` until the next reading of its parent: if the parent has ended then too, it may have ended
   first, and another process has waited for the child. This may be any ancestor (a subreaper), whose time contains the
   child then. Therefore the child is in `lost`, of which only the part counts that fits into no ancestor's growth. */

#include "tree.h"

static double rusage_member_own(const rusage_member *member)
{
    return member->last.own > member->first.own ? member->last.own - member->first.own : 0;
}

static double rusage_larger(double one, double other)
{
    return one > other ? one : other;
}

/* The children of a member that have ended. */
static double rusage_member_children(const rusage_member *member)
{
    double growth = member->may_miss_older ? 0 : member->last.waited - member->first.waited - member->before;
    double ended = member->ended + (member->state == RUSAGE_LIVES ? member->undecided : 0);

    return rusage_larger(growth, ended);
}

/* Take off what a child of a member had used before the opening from the growth of every ancestor that may wait for it. */
static void rusage_tree_take_off(rusage_tree *tree, int index, double before)
{
    int parent;

    for (; index >= 0; index = parent) {
        if (tree->members[index].state != RUSAGE_GONE)
            tree->members[index].before += before;
        parent = rusage_tree_find(tree, tree->members[index].parent);
        if (parent >= index)            /* a parent precedes its children */
            return;
    }
}

/* A member has been reaped: enter its time into its parent's. */
static void rusage_tree_bury(rusage_tree *tree, int index)
{
    const rusage_member *member = &tree->members[index];
    int parent_index = rusage_tree_find(tree, member->parent);
    double before = member->first.own + member->first.waited + member->before - member->undecided_before;
    double children = rusage_member_children(member), total = rusage_member_own(member) + children;
    rusage_member *parent;

    /* `children` may contain `undecided`, if the member has waited for these children. */
    tree->lost += rusage_larger(member->ended + member->undecided - children, 0);
    rusage_tree_take_off(tree, parent_index, member->undecided_before);
    if (parent_index < 0 || parent_index >= index) {
        tree->orphans += total;         /* its parent, at the last reading, was no member */
        return;
    }
    parent = &tree->members[parent_index];
    if (parent->state == RUSAGE_LIVES) {
        parent->undecided_before += before;
        parent->before += before;
    } else
        rusage_tree_take_off(tree, parent_index, before);
    if (parent->state == RUSAGE_GONE)
        tree->lost += total;
    else
        parent->undecided += total;
}

/* A member has been read again, and lives: no other process has waited for its children. */
static void rusage_member_decide(rusage_member *member)
{
    member->ended += member->undecided;
    member->undecided = member->undecided_before = 0;
}

/* Return the CPU time since the opening. */
static double rusage_tree_cputime(rusage_tree *tree)
{
    double own = tree->orphans, children = 0, last_readings = tree->lost;
    int i;

    for (i = 0; i < tree->count; i++) {
        own += rusage_member_own(&tree->members[i]);
        children += rusage_member_children(&tree->members[i]);
        last_readings += tree->members[i].ended + tree->members[i].undecided;
    }
    own += children > last_readings ? children : last_readings;
    if (own > tree->cputime)
        tree->cputime = own;
    return tree->cputime;
}
