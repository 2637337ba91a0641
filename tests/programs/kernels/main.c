/* Run the C of a system against a made-up kernel. Compiled with -DKERNEL='"NAME.h"' -DBACKEND='"PATH/NAME.c"'.

   The arguments are steps: "set NAME VALUE" sets a variable of the kernel; "own_rss" prints the size of this process;
   "open PID", "get", "maxrss", "rss", "cputime" and "close" call the function of that name for another process and print
   its result, the error first; "wait4 PID" prints what libc's wait4() is called with, where that differs. */

#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include KERNEL

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

/* Call a function for another process; return how many arguments it has taken. */
static int call_function(char **step)
{
    static rusage_process process;
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1, .integral_bytes = 1, .integral_hz = 1};

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
