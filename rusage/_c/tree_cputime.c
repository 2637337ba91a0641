/* The CPU time of a tree, a lower bound. In seconds:

   total of a member = its own time + its children's, which is the larger of what it has waited for,
                       and of what it had waited for when it was first read, plus the last totals of
                       the children that have ended meanwhile (the kernel may have reaped them)
   accounts          = totals of all members + lost - before
   lost              = totals of those that have ended and whose parents were no members; of orphans
                       that this process has waited for, what wait4(2) has said
   before            = what members older than the opening had used by then: totals, at the anchor
   readings          = own times of all members, living or ended, since the opening
   CPU time          = the largest of accounts and readings so far

   The kernel cuts the time that a member has waited for, so that its total at an anchor may be too
   small. Its parent's time then grows by too much when the parent waits for it. So each member has
   an error, which is subtracted; waiting for a child adds the child's.

   A parent is read before its children, so that no reading sees the time of a child both in the
   child and in its parent.

   The anchor is the reading at which the accounts begin: one that finds no end, and no process that
   is older than the opening and was not known, so that none of them enters a parent's time
   unnoticed. The opening repeats its reading for it; if processes end all the time, the readings
   are the CPU time until a later reading is one.

   The one correction: if a child and its parent have ended, it is unknown who has waited for the
   child. So its total enters no sum: it is in that process's time. If no process has, at some time

   accounts + unsure < CPU time, where unsure = by how much the children's times may be too small,
                                 since waited-for times are cut and errors are subtracted

   and the accounts begin again, at the next reading that can be an anchor. Not sooner: each
   beginning loses what no reading has seen, and gives the members new errors. */

#include "tree.h"

static double rusage_member_own(const rusage_member *member)
{
    return member->now.own > member->own_before ? member->now.own - member->own_before : 0;
}

static double rusage_member_children(const rusage_member *member)
{
    double waited = member->now.waited - member->waited_error;
    double ended = member->waited_before + member->ended;

    return waited > ended ? waited : ended;
}

/* By how much the children's time may be too small if the member has waited for all of them. */
static double rusage_member_unsure(const rusage_member *member)
{
    double missing = member->now.waited + RUSAGE_WAITED_ERROR - rusage_member_children(member);

    return missing > 0 ? missing : 0;
}

/* Count from now on. */
static void rusage_member_begin_at(rusage_member *member)
{
    double children = rusage_member_children(member);

    member->waited_before = member->now.waited;
    member->waited_error = RUSAGE_WAITED_ERROR;
    /* what is not in its time yet */
    member->ended = children > member->now.waited ? children - member->now.waited : 0;
}

static double rusage_member_total(const rusage_member *member)
{
    return member->now.own + rusage_member_children(member);
}

static int rusage_is_older(const rusage_tree *tree, const rusage_member *member)
{
    return member->now.start < tree->opened
           || (member->now.start == tree->opened && !tree->is_anchored);
}

/* At the first reading. */
static void rusage_tree_count_in(rusage_tree *tree, rusage_member *member)
{
    member->is_counted = 1;
    if (rusage_is_older(tree, member)) {
        tree->changed = 1;
        rusage_member_begin_at(member);
        member->own_before = member->now.own;
        tree->before += rusage_member_total(member);
    }
}

/* A member has been reaped: enter its total into its parent's. */
static void rusage_tree_bury(rusage_tree *tree, const rusage_member *member)
{
    int index = rusage_tree_find(tree, member->now.parent);
    rusage_member *parent = index < 0 ? NULL : &tree->members[index];
    double total = rusage_member_total(member);

    tree->changed = 1;
    tree->readings += rusage_member_own(member);
    /* what an older one had used before is unknown */
    if (!member->is_counted && rusage_is_older(tree, member))
        tree->is_anchored = 0;
    if (parent == NULL)
        tree->lost += total;
    else if (parent->now.state == RUSAGE_LIVES && rusage_member_lives(tree, parent)) {
        parent->ended += total;
        parent->waited_error += member->waited_error;
    } else                          /* its total enters no sum: see above */
        tree->lost -= member->waited_error;
}

/* Begin the accounts at the CPU time so far. */
static void rusage_tree_anchor(rusage_tree *tree)
{
    int i;

    tree->before = tree->lost - tree->cputime;
    for (i = 0; i < tree->count; i++) {
        rusage_member_begin_at(&tree->members[i]);
        tree->before += rusage_member_total(&tree->members[i]);
    }
    tree->is_anchored = 1;
}

static double rusage_tree_cputime(rusage_tree *tree)
{
    double readings = tree->readings, accounts = tree->lost - tree->before, unsure = 0;
    int i, needs_anchor;

    for (i = 0; i < tree->count; i++) {
        readings += rusage_member_own(&tree->members[i]);
        accounts += rusage_member_total(&tree->members[i]);
        unsure += rusage_member_unsure(&tree->members[i]);
    }
    if (readings > tree->cputime)
        tree->cputime = readings;
    /* less is what sums leave: no clock is finer */
    if (tree->is_anchored && accounts > tree->cputime + 1e-9)
        tree->cputime = accounts;
    needs_anchor = !tree->is_anchored || accounts + unsure < tree->cputime;
    if (needs_anchor && !tree->changed)
        rusage_tree_anchor(tree);
    return tree->cputime;
}

/* The opening has ended. */
static void rusage_tree_begin_cputime(rusage_tree *tree, int is_complete)
{
    int i;

    for (i = 0; i < tree->count; i++)
        tree->members[i].own_before = tree->members[i].now.own;
    tree->readings = tree->cputime = 0;
    if (is_complete)
        rusage_tree_anchor(tree);
}
