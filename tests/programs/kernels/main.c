/* Run the C of a system against a made-up kernel. Compiled with -DKERNEL='"NAME.h"' -DBACKEND='"PATH/NAME.c"'.

   The arguments are steps: "set NAME VALUE" sets a variable of the kernel; "open PID", "get", "maxrss", "cputime" and
   "close" call the function of that name and print its result, the error first. */

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

static void print(int error, const rusage_call *call)
{
#define TIME(name) printf(" %.9f", call->record.name);
#define NUMBER(name) printf(" %lld", (long long)call->record.name);
    printf("%d", error);
    RUSAGE_FIELDS(TIME, NUMBER, NUMBER, NUMBER)
    printf("\n");
}

int main(int argc, char **argv)
{
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1, .integral_bytes = 1, .integral_hz = 1};
    rusage_process process = {.pid = 0};
    char **step;

    for (step = argv + 1; step < argv + argc; step++) {
        memset(&call.record, 0, sizeof call.record);
        if (strcmp(*step, "set") == 0) {
            set(step[1], step[2]);
            step += 2;
        } else if (strcmp(*step, "open") == 0)
            print(rusage_process_open(&process, atoi(*++step), &call), &call);
        else if (strcmp(*step, "get") == 0)
            print(rusage_process_get(&process, &call), &call);
        else if (strcmp(*step, "maxrss") == 0)
            printf("%lld\n", (long long)rusage_process_maxrss(&process, &call));
        else if (strcmp(*step, "cputime") == 0)
            printf("%.9f\n", rusage_process_cputime(&process, &call));
        else if (strcmp(*step, "close") == 0) {
            rusage_process_close(&process);
            printf("%d\n", process.is_open);
        }
#ifdef HAS_OF_PROCESS
        else if (strcmp(*step, "of_process") == 0)
            print(rusage_of_process(atoi(*++step), &call), &call);
#endif
        else
            abort();
    }
    return 0;
}
