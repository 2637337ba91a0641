/* Included, not compiled: getrusage(2), wait4(2), the page size and the root directory on Unix. A system's file defines
   a macro before it includes this one where it has a function of its own. */

#include "rusage.h"
#include "convert.c"

#ifndef RUSAGE_NATIVE_HERE
static int rusage_native(int who, struct rusage *native)
{
    memset(native, 0, sizeof *native); /* an unknown system may leave fields unset */
    return getrusage(who, native) != 0 ? errno : 0;
}
#endif

static int rusage_get(rusage_call *call)
{
    struct rusage native, children;
    int error;

    if (call->who != RUSAGE_BOTH_HERE) {
        error = rusage_native(call->who, &native);
        if (error == 0)
            rusage_convert(&native, call);
        return error;
    }
    error = rusage_native(RUSAGE_SELF, &native);
    if (error == 0)
        error = rusage_native(RUSAGE_CHILDREN, &children);
    if (error == 0)
        rusage_convert_both(&native, &children, call);
    return error;
}

static int64_t rusage_pagesize(void)
{
    return sysconf(_SC_PAGESIZE);
}

#ifndef RUSAGE_NO_WAIT4

/* Defined otherwise where libc's wait4() interprets process IDs in another way. */
#ifndef RUSAGE_WAIT4
#define RUSAGE_WAIT4 wait4
#endif

/* Return the process ID, 0 if no child is ready (all values are 0 then), or a negative errno. */
static int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call)
{
    struct rusage native;
    pid_t child;
    int error;
    RUSAGE_RELEASE_GIL;

    memset(&native, 0, sizeof native);
    *status = 0;
    child = RUSAGE_WAIT4((pid_t)pid, status, options, &native);
    error = errno;
    RUSAGE_RETAKE_GIL;
    if (child < 0)
        return -(int64_t)error;
    rusage_convert(&native, call);
    return child;
}

#endif

/* The root directory in which this package was imported. Its files must not be looked for in another one: the owner of
   that directory could put programs and modules of his own there, which would run with the rights of this process. */
static rusage_root rusage_first_root;

#ifndef RUSAGE_ROOT_HERE /* a system without mount namespaces */
static void rusage_read_root(rusage_root *root)
{
    struct stat status;

    memset(root, 0, sizeof *root);
    if (stat("/", &status) == 0) {
        root->device = (uint64_t)status.st_dev;
        root->inode = (uint64_t)status.st_ino;
    }
}
#endif

__attribute__((constructor)) static void rusage_record_root(void)
{
    rusage_read_root(&rusage_first_root);
}

/* Return whether the calling thread has another root directory, or one that cannot be identified any more. */
static int rusage_root_changed(void)
{
    rusage_root now;

    rusage_read_root(&now);
    return now.device != rusage_first_root.device || now.inode != rusage_first_root.inode
           || now.mount != rusage_first_root.mount || now.namespace != rusage_first_root.namespace;
}
