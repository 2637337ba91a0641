/* Run the C of a system against a made-up kernel. Compiled with -DKERNEL='"NAME.h"'
   -DBACKEND='"PATH/NAME.c"'.

   The arguments are steps: "set NAME VALUE" sets a variable of the kernel; "own_rss" prints the
   size of this process, "statclock" the rate of the clock; "open PID", "get", "rss" and "close"
   call the function of that name for another process and print its result, the error first.
   "process PID PARENT START RSS TIME WAITED ZOMBIE DENIED VFORKED" makes a process and "gone PID"
   ends it; there is no other one then. "reaped PID" ends it too, and adds its time to its parent's.
   "name HEX" sets the bytes of the name of all processes, and "first_name" prints the bytes of the
   first member's name. "later N STEP" does one of these, or "set", when the kernel has looked N
   times more at a process; another "later" comes after that; "calm" drops what has not happened.
   "getrusage WHO" prints the usage of the own process. "tree PID", "sample", "members", "signal
   NUMBER" and "close_tree" call the functions for a tree; "wait4
   PID" prints what libc's wait4() is called with, where that differs, or the child's usage. */

#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include KERNEL

static void *limited_realloc(void *old, size_t size)
{
    return kernel.allocations-- > 0 ? realloc(old, size) : NULL;
}

#define realloc limited_realloc

static void *limited_malloc(size_t size)
{
    return kernel.allocations-- > 0 ? malloc(size) : NULL;
}

#define malloc limited_malloc
#include BACKEND

static void set(const char *name, int64_t value)
{
#define SET(variable, place)         \
    if (strcmp(name, variable) == 0) \
        place = value;
#define SET_VARIABLE(variable, first) SET(#variable, kernel.variable)
    VARIABLES(SET_VARIABLE)
    SET("start", made.start)
    SET("zombie", made.zombie)
    SET("rss", made.rss)
}

/* "STEP(name, count) statement" runs the statement for a step with so many arguments. */
#define STEP(name, count) else if (strcmp(*step, name) == 0 && (taken = (count) + 1) != 0)

#ifndef HAS_NO_PROCESS

static void print(int error, const rusage_call *call)
{
#define TIME(name) printf(" %.9f", call->record.name);
#define NUMBER(name) printf(" %lld", (long long)call->record.name);
    printf("%d", error);
    RUSAGE_FIELDS(TIME, NUMBER, NUMBER, NUMBER)
    printf("\n");
}

static int find_process(int64_t pid)
{
    int i;

    for (i = 0; i < processes_count && processes[i].pid != pid; i++) {
    }
    return i;
}

static void make_process(char **numbers)
{
    int i, found = find_process(atoi(numbers[0]));
    int64_t made[PROCESS_NUMBERS];

    for (i = 0; i < PROCESS_NUMBERS; i++)
        made[i] = strtoll(numbers[i], NULL, 10);
    memcpy(&processes[found], made, sizeof made);
    processes_count += found == processes_count;
}

/* The parent may have waited for it. */
static void end_process(int pid, int was_waited_for)
{
    made_process *it = &processes[find_process(pid)];
    int parent = find_process(it->parent);

    if (was_waited_for && parent < processes_count)
        processes[parent].waited += it->time + 500001 + it->waited;
    *it = processes[--processes_count];
}

static void print_name(const char *name)
{
    for (; *name != '\0'; name++)
        printf("%d ", (unsigned char)*name);
    printf("\n");
}

static void print_members(const rusage_sample *sample, const rusage_member_figures *figures)
{
    int i;

    for (i = 0; i < sample->figures; i++)
        printf("%lld %lld %.6f ", (long long)figures[i].pid, (long long)figures[i].rss,
               figures[i].cputime);
    printf("\n");
}

/* Make or end a process; return how many words this has taken, 0 for another step. */
static int change_processes(char **step)
{
    unsigned int byte;
    int i, taken = 0;

    if (0) {
    }
    STEP ("process", PROCESS_NUMBERS)
        make_process(step + 1);
    STEP ("gone", 1)
        end_process(atoi(step[1]), 0);
    STEP ("reaped", 1)
        end_process(atoi(step[1]), 1);
    STEP ("set", 2)
        set(step[1], strtoll(step[2], NULL, 10));
    STEP ("name", 1)
        for (i = 0; i < (int)sizeof made_name - 1 && sscanf(step[1] + i * 2, "%2x", &byte) == 1;
             made_name[i] = '\0')
            made_name[i++] = (char)byte;
    return taken;
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

/* Call a function; return how many words the step has taken. */
static int call_function(char **step)
{
    static rusage_process opened;
    static rusage_tree *tree;
    static rusage_sample sample;
    static rusage_member_figures figures[256];
    rusage_call call = {
        .measured = UINT32_MAX, .maxrss_bytes = 1, .integral_bytes = 1, .integral_hz = 1};
    int error, status, taken = change_processes(step);

    if (taken > 0)
        return taken;
    STEP ("later", strcmp(step[2], "process") == 0 ? 2 + PROCESS_NUMBERS
                   : strcmp(step[2], "set") == 0   ? 4
                                                   : 3) {
        events[events_count].looks = atoi(step[1]);
        events[events_count++].step = step + 2;
    }
    STEP ("calm", 0)
        events_done = events_count;
    STEP ("tree", 1)
        printf("%d\n", rusage_tree_open(&tree, atoi(step[1])));
    STEP ("sample", 0) {
        error = rusage_tree_sample(tree, 0, &sample, figures, (int)kernel.room);
        printf("%d %d %d %lld %.17g\n", error, sample.processes, sample.unread,
               (long long)sample.rss, sample.cputime);
    }
    STEP ("members", 0)
        print_members(&sample, figures);
    STEP ("first_name", 0)
        print_name(figures[0].name);
    STEP ("signal", 1)
        printf("%d\n", rusage_tree_signal(tree, atoi(step[1]), 1));
    STEP ("close_tree", 0)
        rusage_tree_free(&tree);
    STEP ("open", 1)
        print(rusage_process_open(&opened, atoi(step[1]), &call), &call);
    STEP ("get", 0)
        print(rusage_process_get(&opened, &call), &call);
    STEP ("rss", 0)
        printf("%lld\n", (long long)rusage_process_rss(&opened, &call));
    STEP ("close", 0) {
        rusage_process_close(&opened);
        printf("%d\n", opened.is_open);
    }
    STEP ("getrusage", 1) {
        call.who = atoi(step[1]);
        print(rusage_get(&call), &call);
    }
#ifdef PROC_REAP_ACQUIRE
    STEP ("become_reaper", 0)
        printf("%d\n", rusage_become_reaper());
#endif
#ifdef HAS_OF_PROCESS
    STEP ("of_process", 1)
        print(rusage_of_process(atoi(step[1]), &call), &call);
    STEP ("wait4", 1)
        print((int)rusage_wait4(atoi(step[1]), &status, 0, &call), &call);
#endif
    else
        abort();
    return taken;
}

#else

static int call_function(char **step)
{
    rusage_call call = {.measured = UINT32_MAX};
    int status;

    if (strcmp(*step, "wait4") != 0 || rusage_wait4(atoi(step[1]), &status, 0, &call) != 77)
        abort();
    return 2;
}

static void happen(void)
{
}

#endif

int main(int argc, char **argv)
{
    char **step = argv + 1;
    int taken = 0;

    for (; step < argv + argc; step += taken) {
        if (0) {
        }
        STEP ("set", 2)
            set(step[1], strtoll(step[2], NULL, 10));
        STEP ("own_rss", 0)
            printf("%lld\n", (long long)rusage_rss());
#ifdef RUSAGE_HAS_STATCLOCK
        STEP ("statclock", 0)
            printf("%lld\n", (long long)rusage_statclock_hz());
#endif
        else
            taken = call_function(step);
    }
    return 0;
}
