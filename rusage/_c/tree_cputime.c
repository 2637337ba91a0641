/* The CPU time of a tree, a lower bound. In seconds:

   total of a member = its own time + its children's
   its children's    = the larger of what it has waited for and what it had waited for when it was
                       first read, plus the last totals of the children that have ended since
   accounts          = totals of all members + lost - before
   lost              = totals of those that have ended and whose parents were no members
   before            = what members older than the opening had used by then: totals, at the anchor
   readings          = own times of all members, living or ended, since the opening
   CPU time          = the largest of accounts and readings so far

   A hidden root is the process that samples. Its own time is 0. It is the reaper of orphans, which
   become its children, and has waited for nothing else since the opening: so what it has waited for
   counts as another member's does.

   A parent is read before its children. A child that is reaped between the two is in neither of
   them, and its last total stands for it until its parent shows more. So it never counts twice:

   reading                               1     2     3     4
   parent: own time                      1     1     2     2
           has waited for                0     0     0     5   (the child had used 5 when it ended)
           last total of ended children  0     0     4     4
           children's                    0     0     4     5   the larger one
   child:  own time                      3     4     -     -   reaped while 3 was taken
   sum of totals                         4     5     6     7

   The kernel may cut the time that a member has waited for, so that its total at an anchor may be
   too small. Its parent's time then grows by too much when the parent waits for it. So each member
   has an error, which is subtracted; waiting for a child adds the child's.

   The anchor is the reading at which the accounts begin: one that finds no end, and no process that
   is older than the opening and was not known, so that none of them enters a parent's time
   unnoticed. The opening repeats its reading for it; if processes end all the time, the readings
   are the CPU time until a later reading is one.

   The sum of own and waited-for times alone is not enough. A parent that ignores SIGCHLD waits for
   nothing: of 60 children in turn, of 0.02 s each, such a sum has 0.07 s of 1.2 s at an interval of
   2 ms, the readings all. And what was never read and ends unseen before the anchor brings its
   parent time from before the opening.

   If a child and its parent have both ended, or if the child could not be read after its parent's
   end, it is unknown which process has waited for the child. Its time is then left out; it comes
   back with the time of the process that did wait. If none did, the accounts fall below the CPU
   time already reported, by more than the children's times may be too small ("unsure"), and begin
   again at the next reading that can be an anchor. Not sooner: each beginning loses what no reading
   has seen, and gives the members new errors. */

#include "tree.h"

static double rusage_member_own(const rusage_member *member)
{
    return member->now.own > member->own_before ? member->now.own - member->own_before : 0;
}

/* By how much the time that a member has waited for may be too small, after two cuts. */
static double rusage_waited_error(const rusage_tree *tree, const rusage_member *member)
{
    return rusage_is_hidden(tree, member) ? 2e-6 : RUSAGE_WAITED_ERROR;
}

static double rusage_member_children(const rusage_member *member)
{
    double waited = member->now.waited - member->waited_error;
    double ended = member->waited_before + member->ended;

    return waited > ended ? waited : ended;
}

/* By how much the children's time may be too small if the member has waited for all of them. */
static double rusage_member_unsure(const rusage_tree *tree, const rusage_member *member)
{
    double most = member->now.waited + rusage_waited_error(tree, member);
    double missing = most - rusage_member_children(member);

    return missing > 0 ? missing : 0;
}

/* Count from now on. */
static void rusage_member_begin_accounts(const rusage_tree *tree, rusage_member *member)
{
    double children = rusage_member_children(member);

    member->waited_before = member->now.waited;
    member->waited_error = rusage_waited_error(tree, member);
    /* what is not in its time yet */
    member->ended = children > member->now.waited ? children - member->now.waited : 0;
}

static double rusage_member_total(const rusage_member *member)
{
    return member->now.own + rusage_member_children(member);
}

static int rusage_is_older(const rusage_tree *tree, const rusage_member *member)
{
    if (tree->hides_root)
        return 0;
    return member->now.start < tree->opened
           || (member->now.start == tree->opened && !tree->sums.is_anchored);
}

/* At the first reading. */
static void rusage_tree_count_in(rusage_tree *tree, rusage_member *member)
{
    member->is_counted = 1;
    if (rusage_is_older(tree, member)) {
        tree->changed = 1;
        rusage_member_begin_accounts(tree, member);
        member->own_before = member->now.own;
        tree->sums.before += rusage_member_total(member);
    }
}

/* A member has been reaped: enter its total into its parent's. */
static int rusage_tree_bury(rusage_tree *tree, const rusage_member *member)
{
    int index = rusage_tree_find(tree, member->now.parent), lives = 0, error = 0;
    rusage_member *parent = index < 0 ? NULL : &tree->members[index];
    double total = rusage_member_total(member);

    if (parent != NULL && parent->now.state == RUSAGE_LIVES)
        error = rusage_member_lives(tree, parent, &lives);
    if (error != 0)
        return error;
    tree->changed = 1;
    tree->sums.readings += rusage_member_own(member);
    /* what an older one had used before is unknown */
    if (!member->is_counted && rusage_is_older(tree, member))
        tree->sums.is_anchored = 0;
    if (lives) {
        parent->ended += total;
        parent->waited_error += member->waited_error;
    } else if (parent == NULL && member->now.parent != RUSAGE_PARENT_UNKNOWN)
        tree->sums.lost += total;
    else                            /* its time is left out: see above */
        tree->sums.lost -= member->waited_error;
    return 0;
}

/* Begin the accounts at the CPU time so far. */
static void rusage_tree_anchor(rusage_tree *tree)
{
    int i;

    tree->sums.before = tree->sums.lost - tree->sums.cputime;
    for (i = 0; i < tree->count; i++) {
        rusage_member_begin_accounts(tree, &tree->members[i]);
        tree->sums.before += rusage_member_total(&tree->members[i]);
    }
    tree->sums.is_anchored = 1;
}

/* Raise the CPU time to the larger one of two sums; return whether the accounts are too small. */
static int rusage_tree_add_up(rusage_tree *tree)
{
    double readings = tree->sums.readings, accounts = tree->sums.lost - tree->sums.before;
    double unsure = 0;
    int i;

    for (i = 0; i < tree->count; i++) {
        readings += rusage_member_own(&tree->members[i]);
        accounts += rusage_member_total(&tree->members[i]);
        unsure += rusage_member_unsure(tree, &tree->members[i]);
    }
    if (readings > tree->sums.cputime)
        tree->sums.cputime = readings;
    /* less is what sums leave: no clock is finer */
    if (tree->sums.is_anchored && accounts > tree->sums.cputime + 1e-9)
        tree->sums.cputime = accounts;
    return accounts + unsure < tree->sums.cputime;
}

static double rusage_tree_cputime(rusage_tree *tree)
{
    int is_too_small = rusage_tree_add_up(tree);

    if ((!tree->sums.is_anchored || is_too_small) && !tree->changed)
        rusage_tree_anchor(tree);
    return tree->sums.cputime;
}

/* The opening has ended. */
static void rusage_tree_begin_cputime(rusage_tree *tree, int is_complete)
{
    int i;

    for (i = 0; i < tree->count; i++)
        tree->members[i].own_before = tree->members[i].now.own;
    tree->sums.readings = tree->sums.cputime = 0;
    if (is_complete)
        rusage_tree_anchor(tree);
}
