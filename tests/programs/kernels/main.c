/* Run the C of a system against a made-up kernel. Compiled with -DKERNEL='"NAME.h"' -DBACKEND='"PATH/NAME.c"'.

   The arguments are steps: "set NAME VALUE" sets a variable of the kernel; "own_rss" prints the size of this process, "statclock" the rate of the clock;
   "open PID", "get", "maxrss", "rss", "cputime" and "close" call the function of that name for another process and print
   its result, the error first. "process PID PARENT START RSS TIME WAITED ZOMBIE DENIED VFORKED" makes a process and
   "gone PID" ends it; there is no other one then. "reaped PID" ends it too, and adds its time to its parent's. "later N
   STEP" does one of these when the kernel has looked N times more at a process; another "later" comes after that; "calm"
   drops what has not happened. "tree
   PID", "sample", "members", "signal NUMBER", "reaper PID", "waited PID TIME" and "close_tree" call the functions for a
   tree; "wait4 PID" prints what libc's wait4() is called with, where that differs. */

#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include KERNEL

static void *limited_realloc(void *old, size_t size)
{
    return allocations-- > 0 ? realloc(old, size) : NULL;
}

#define realloc limited_realloc
#include BACKEND

static void set(const char *name, const char *value)
{
    size_t i;

    for (i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strcmp(variables[i].name, name) == 0) {
            *variables[i].value = strtoll(value, NULL, 10);
            return;
        }
    abort();
}

#ifndef HAS_NO_PROCESS

static void print(int error, const rusage_call *call)
{
#define TIME(name) printf(" %.9f", call->record.name);
#define NUMBER(name) printf(" %lld", (long long)call->record.name);
    printf("%d", error);
    RUSAGE_FIELDS(TIME, NUMBER, NUMBER, NUMBER)
    printf("\n");
}

static void make_process(char **words)
{
    int i, k, pid = atoi(words[0]);

    for (i = 0; i < processes_count && processes_made[i].pid != pid; i++) {
    }
    processes_count += i == processes_count;
    processes_made[i].pid = pid;
    for (k = 0; k < 8; k++)
        processes_made[i].values[k] = strtoll(words[k + 1], NULL, 10);
}

/* The parent may have waited for it. */
static void end_process(int pid, int was_waited_for)
{
    int i, k;

    for (i = 0; processes_made[i].pid != pid; i++) {
    }
    for (k = 0; was_waited_for && k < processes_count; k++)
        if (processes_made[k].pid == processes_made[i].values[0])
            processes_made[k].values[4] += processes_made[i].values[3] + 500001 + processes_made[i].values[4];
    processes_made[i] = processes_made[--processes_count];
}

static void print_members(const rusage_sample *sample, const rusage_member_figures *figures)
{
    int i;

    for (i = 0; i < sample->figures; i++)
        printf("%lld %lld %.6f ", (long long)figures[i].pid, (long long)figures[i].rss, figures[i].cputime);
    printf("\n");
}

/* Make or end a process; return how many arguments this has taken, 0 for another step. */
static int change_processes(char **step)
{
    if (strcmp(*step, "process") == 0) {
        make_process(step + 1);
        return 10;
    }
    if (strcmp(*step, "gone") == 0 || strcmp(*step, "reaped") == 0) {
        end_process(atoi(step[1]), **step == 'r');
        return 2;
    }
    return 0;
}

static struct {
    int looks;
    char **step;
} events[8];
static int events_count, events_done;

static void happen(void)
{
    if (events_done < events_count)
        events[events_done].looks--;
    while (events_done < events_count && events[events_done].looks <= 0)
        change_processes(events[events_done++].step);
}

/* Call a function for a tree; return how many arguments it has taken, 0 for another step. */
static int call_tree(char **step)
{
    static rusage_tree *tree;
    static rusage_sample sample;
    static rusage_member_figures figures[256];
    int error, taken = change_processes(step);

    if (taken > 0)
        return taken;
    if (strcmp(*step, "later") == 0) {
        events[events_count].looks = atoi(step[1]);
        events[events_count++].step = step + 2;
        return strcmp(step[2], "process") == 0 ? 12 : 4;
    }
    if (strcmp(*step, "calm") == 0) {
        events_done = events_count;
        return 1;
    }
    if (strcmp(*step, "tree") == 0) {
        printf("%d\n", rusage_tree_open(&tree, atoi(step[1])));
        return 2;
    }
    if (strcmp(*step, "sample") == 0) {
        error = rusage_tree_sample(tree, 0, &sample, figures, (int)figures_room);
        printf("%d %d %d %lld %.17g\n", error, sample.processes, sample.unread, (long long)sample.rss, sample.cputime);
        return 1;
    }
    if (strcmp(*step, "members") == 0) {
        print_members(&sample, figures);
        return 1;
    }
    if (strcmp(*step, "signal") == 0) {
        error = rusage_tree_signal(tree, atoi(step[1]));
        printf("%d\n", error);
        return 2;
    }
    if (strcmp(*step, "reaper") == 0) {
        rusage_tree_own_orphans(tree, atoi(step[1]), NULL, 0);
        return 2;
    }
    if (strcmp(*step, "waited") == 0) {
        end_process(atoi(step[1]), 0);
        rusage_tree_reaped(tree, atoi(step[1]), atoi(step[2]) / 1e6);
        return 3;
    }
    if (strcmp(*step, "close_tree") == 0) {
        rusage_tree_close(&tree);
        return 1;
    }
    return 0;
}

/* Call a function for another process; return how many arguments it has taken. */
static int call_function(char **step)
{
    static rusage_process process;
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1, .integral_bytes = 1, .integral_hz = 1};
    int taken = call_tree(step);

    if (taken > 0)
        return taken;
    if (strcmp(*step, "open") == 0) {
        print(rusage_process_open(&process, atoi(step[1]), &call), &call);
        return 2;
    }
    if (strcmp(*step, "get") == 0)
        print(rusage_process_get(&process, &call), &call);
    else if (strcmp(*step, "maxrss") == 0)
        printf("%lld\n", (long long)rusage_process_maxrss(&process, &call));
    else if (strcmp(*step, "rss") == 0)
        printf("%lld\n", (long long)rusage_process_rss(&process, &call));
    else if (strcmp(*step, "cputime") == 0)
        printf("%.9f\n", rusage_process_cputime(&process, &call));
    else if (strcmp(*step, "close") == 0) {
        rusage_process_close(&process);
        printf("%d\n", process.is_open);
    }
#ifdef HAS_OF_PROCESS
    else if (strcmp(*step, "of_process") == 0) {
        print(rusage_of_process(atoi(step[1]), &call), &call);
        return 2;
    }
#endif
    else
        abort();
    return 1;
}

#else

static int call_function(char **step)
{
    (void)step;
    abort();
}

static void happen(void)
{
}

#endif

int main(int argc, char **argv)
{
    char **step = argv + 1;

    while (step < argv + argc)
        if (strcmp(*step, "set") == 0) {
            set(step[1], step[2]);
            step += 3;
        } else if (strcmp(*step, "own_rss") == 0) {
            printf("%lld\n", (long long)rusage_rss());
            step++;
#ifdef RUSAGE_HAS_STATCLOCK
        } else if (strcmp(*step, "statclock") == 0) {
            printf("%lld\n", (long long)rusage_statclock_hz());
            step++;
#endif
#ifdef HAS_WAIT4
        } else if (strcmp(*step, "wait4") == 0) {
            rusage_call call = {.measured = UINT32_MAX};
            int status;

            if (rusage_wait4(atoi(step[1]), &status, 0, &call) != 77)
                abort();
            step += 2;
#endif
        } else
            step += call_function(step);
    return 0;
}
