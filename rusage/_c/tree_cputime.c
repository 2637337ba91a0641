/* Included, not compiled: the CPU time of a tree. It is the larger of two lower bounds; neither counts a second twice.

   The first is the sum of the last readings of all members, living or ended.

   The second counts for each member what it has used since the opening and, of its children that have ended, the larger
   of two: the growth of the time of the children that it has waited for, without what they had used `before` the opening;
   and `ended`, the same sum for these children as far as they were read. A parent is read before its children. So a child
   that was read as living, or as a zombie, is not in the time of its parent at this reading.

   A child that has been reaped is in `undecided` until the next reading of its parent: if the parent does not live then,
   it may have ended first, and any ancestor (a subreaper) may have waited for the child, whose time is then in that
   ancestor's growth. Such a child is not in the second sum. */

#include "tree.h"

static double rusage_member_own(const rusage_member *member)
{
    return member->last.own > member->first.own ? member->last.own - member->first.own : 0;
}

/* The children of a member that have ended. */
static double rusage_member_children(const rusage_member *member)
{
    double growth = member->may_miss_older ? 0 : member->last.waited - member->first.waited - member->before;
    double ended = member->ended + (member->state == RUSAGE_LIVES ? member->undecided : 0);

    return growth > ended ? growth : ended;
}

/* Take off what a member had used before the opening from the growth of every ancestor that may have waited for it. */
static void rusage_tree_take_off(rusage_tree *tree, int index, double before)
{
    int parent;

    for (; index >= 0; index = parent) {
        if (tree->members[index].state != RUSAGE_GONE) {
            tree->members[index].before += before;
            tree->members[index].taken_off += before;
        }
        parent = rusage_tree_find(tree, tree->members[index].parent);
        if (parent >= index)            /* a parent precedes its children */
            return;
    }
}

/* A member does not live any more: any ancestor may have waited for its children. */
static void rusage_member_give_up(rusage_tree *tree, rusage_member *member)
{
    rusage_tree_take_off(tree, rusage_tree_find(tree, member->parent), member->undecided_before);
    member->taken_off += member->undecided_before;
    member->undecided_before = 0;
}

/* A member has been reaped: enter its time into its parent's. */
static void rusage_tree_bury(rusage_tree *tree, int index)
{
    const rusage_member *member = &tree->members[index];
    int parent_index = rusage_tree_find(tree, member->parent);
    double before = member->first.own + member->first.waited + member->before - member->taken_off;
    double total = rusage_member_own(member) + rusage_member_children(member);
    rusage_member *parent;

    tree->readings += rusage_member_own(member);
    if (parent_index < 0 || parent_index >= index) {
        tree->orphans += total;         /* its parent, at the last reading, was no member */
        return;
    }
    parent = &tree->members[parent_index];
    parent->undecided += total;
    parent->undecided_before += before;
    parent->before += before;
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
    double own = 0, children = 0, largest;
    int i;

    for (i = 0; i < tree->count; i++) {
        own += rusage_member_own(&tree->members[i]);
        children += rusage_member_children(&tree->members[i]);
    }
    largest = tree->readings > tree->orphans + children ? tree->readings : tree->orphans + children;
    if (own + largest > tree->cputime)
        tree->cputime = own + largest;
    return tree->cputime;
}
