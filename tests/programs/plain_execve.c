/* For tox -e coverage. GCC makes execve(2) write the counts of coverage, once in a process. The
   child of the vfork(2) that starts the launcher would do so for its parent, whose later counts
   would be lost. The extension is linked with this instead. */
#include <unistd.h>

int __gcov_execve(const char *path, char *const arguments[], char *const environment[]);

int __gcov_execve(const char *path, char *const arguments[], char *const environment[])
{
    return execve(path, arguments, environment);
}
