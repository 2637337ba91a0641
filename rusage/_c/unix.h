/* Headers common to all Unix systems, and the assumptions about them. */

#pragma once

#include "rusage.h"

#include <sys/types.h>
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As in rusage/_backends/_base.py. */
RUSAGE_ASSERT(self, RUSAGE_SELF == 0);
RUSAGE_ASSERT(children, RUSAGE_CHILDREN == -1);

RUSAGE_ASSERT(tv_sec, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(time_t) && (time_t)-1 < 0);
RUSAGE_ASSERT(tv_usec, RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(suseconds_t) && sizeof(suseconds_t) >= 4);
RUSAGE_ASSERT(pid, sizeof(pid_t) == sizeof(int) && (pid_t)-1 < 0);

/* What identifies the root directory of a thread; 0 for what cannot be read or does not exist on a system. */
typedef struct {
    uint64_t device, inode, mount, namespace;
} rusage_root;

/* Defined for each Unix system: call getrusage(2) and return 0 or an errno. */
static int rusage_native(int who, struct rusage *native);
static void rusage_read_root(rusage_root *root);
static rusage_root rusage_first_root;
static int rusage_root_changed(void);
