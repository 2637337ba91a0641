/* Included, not compiled: the root directory in which this package was imported. Its files must not be looked for in
   another one: the owner of that directory could put programs and modules of his own there, which would run with the
   rights of this process. */

#include "unix.h"

static rusage_root rusage_first_root;

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
