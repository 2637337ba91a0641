/* A program without a C library: leave the directory NAME in the current one. It runs in any root directory. */

#include "nolibc.h"

static int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    system_call(SYS_mkdirat, -100 /* AT_FDCWD */, (long)NAME, 0700, 0, 0, 0);
    return 7;
}
