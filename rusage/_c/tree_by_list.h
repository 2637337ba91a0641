/* A tree on systems that list all processes by one sysctl(3) and have no handles for processes. */

#pragma once

#include "unix.h"

#include <signal.h>
#include <sys/sysctl.h>

typedef struct {
    int broken;                     /* the last list had a process whose parent was not in it */
    char *buffer;
    int capacity;
} rusage_tree_state;

#define RUSAGE_NO_PERMISSION EPERM
#define RUSAGE_NO_MEMORY ENOMEM
#define RUSAGE_WAITED_ERROR 2e-6    /* two times, each cut to a microsecond */

#include "tree_no_handles.h"

/* What a system reports of one process. */
typedef struct {
    int parent, is_zombie, may_read;
    int uses_parents_memory;        /* between vfork(2) and exec */
    int64_t start;                  /* microseconds; 0: unknown, of a zombie */
    int64_t rss;
    rusage_times times;
} rusage_figures;

/* Defined for each of these systems: list all processes by rusage_tree_found(). */
static int rusage_list_processes(rusage_tree *tree);
/* Read one process; ESRCH if there is none. `parent` and `start` are read last, or with the others. */
static int rusage_read_figures(int pid, rusage_figures *figures);

/* Call sysctl(3) for a list of processes, which is then in the buffer; *count is its length. Some systems want this in the
   name too: `limit` is its place there, or NULL. */
static int rusage_sysctl_list(rusage_tree *tree, int *name, unsigned int names, int *limit, size_t element, int *count)
{
    rusage_tree_state *state = &tree->system;
    size_t size = 0;
    int attempt, error = ENOMEM;

    for (attempt = 0; error == ENOMEM && attempt < 10; attempt++) {
        if (limit != NULL)
            *limit = 0;
        if (sysctl(name, names, NULL, &size, NULL, 0) != 0)
            return errno;
        size += size / 4 + 16 * element;    /* some may start meanwhile */
        if (size > (size_t)state->capacity) {
            char *buffer = realloc(state->buffer, size);

            if (buffer == NULL)
                return ENOMEM;
            state->buffer = buffer;
            state->capacity = (int)size;
        }
        size = (size_t)state->capacity / element * element;
        if (limit != NULL)
            *limit = (int)(size / element);
        error = sysctl(name, names, state->buffer, &size, NULL, 0) != 0 ? errno : 0;
    }
    *count = (int)(size / element);
    return error;
}
