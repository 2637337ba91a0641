/* The launcher: start a program as a child of the launcher's parent, without the parent's memory.

   On Linux the peak resident set size of a process starts at that of the process that it was forked from. Therefore the
   parent executes this small program, which creates the child. Protocol and security: see launcher.py. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>

#ifdef RUSAGE_NO_LIBC
#include "nolibc.h"
#else
#include <sys/syscall.h>
#include <unistd.h>

/* As in nolibc.h: return the result or a negative errno. */
static long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result = syscall(number, a, b, c, d, e, f);

    return result == -1 ? -(long)errno : result;
}

static long map_shared(long size, int access, int flags, int fd)
{
    const void *address = mmap(NULL, (size_t)size, access, flags, fd, 0);

    return address == MAP_FAILED ? -(long)errno : (long)address;
}
#endif

/* Not "result < 0": an address of a 32-bit process can be that high. */
static inline int failed(long result)
{
    return (unsigned long)result >= (unsigned long)-4095;
}

#define call0(name) system_call(SYS_##name, 0, 0, 0, 0, 0, 0)
#define call1(name, a) system_call(SYS_##name, (long)(a), 0, 0, 0, 0, 0)
#define call2(name, a, b) system_call(SYS_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define call3(name, a, b, c) system_call(SYS_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* On older 32-bit architectures the plain system calls take 16-bit IDs. */
#ifdef SYS_setreuid32
#define SYS_set_user SYS_setreuid32
#define SYS_set_group SYS_setregid32
#define SYS_set_groups SYS_setgroups32
#else
#define SYS_set_user SYS_setreuid
#define SYS_set_group SYS_setregid
#define SYS_set_groups SYS_setgroups
#endif

/* Exit statuses, as in launcher.py. */
enum {
    FAILED = 255,       /* this time or with these arguments; may be retried */
    CANNOT_CLOSE = 254, /* close_range(2) is missing */
    REFUSED = 253,      /* permanently: not allowed on this system */
};

enum { GROUPS = 1024 }; /* the largest number of supplementary groups */

struct program {
    int done, session, process_group;
    long user, group, groups;   /* -1: unchanged */
    char **group_ids, **paths, **arguments, **environment;
};

static long number(const char *text)
{
    long value = 0;

    if (*text == '-')
        return -1;
    for (; *text; text++)
        value = (long)((unsigned long)value * 10 + (unsigned long)(*text - '0'));
    return value;
}

static int status_of(long error)
{
    return error == -EAGAIN || error == -ENOMEM ? FAILED : REFUSED;
}

/* Close all descriptors above 2 except fds, which are in ascending order. */
static long close_others(long count, char **fds)
{
    long first = 3, result;

    for (; count > 0; count--, fds++) {
        long fd = number(*fds);

        if (fd > first) {
            result = call3(close_range, first, fd - 1, 0);
            if (failed(result))
                return result;
        }
        if (fd >= first)
            first = fd + 1;
    }
    return call3(close_range, first, ~0U, 0);
}

/* In subprocess's order: the groups first, while the privilege to set them is still held. Not inlined: its frame would
   cost every start another page of stack. */
static __attribute__((noinline)) int change_ids(const struct program *program)
{
    uint32_t groups[GROUPS];
    long i;

    if (program->groups >= 0) {
        for (i = 0; i < program->groups; i++)
            groups[i] = (uint32_t)number(program->group_ids[i]);
        if (failed(call2(set_groups, program->groups, groups)))
            return -1;
    }
    if (program->group >= 0 && failed(call2(set_group, program->group, program->group)))
        return -1;
    if (program->user >= 0 && failed(call2(set_user, program->user, program->user)))
        return -1;
    /* The new user may not trace this process until it has executed the program. */
    return failed(system_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0)) ? -1 : 0;
}

/* Execute the first path that can be executed. A byte in the pipe tells the parent that this has failed; end-of-file
   means that this process has executed a program or has been killed. */
static __attribute__((noreturn)) void execute(const struct program *program)
{
    char **path;

    if ((!program->session || !failed(call0(setsid)))
        && (program->process_group < 0 || !failed(call2(setpgid, 0, program->process_group)))
        && ((program->groups < 0 && program->group < 0 && program->user < 0) || change_ids(program) == 0))
        for (path = program->paths; path < program->arguments; path++)
            call3(execve, *path, program->arguments, program->environment);
    call3(write, program->done, "", 1);
    for (;;)
        call1(exit_group, FAILED);
}

/* launcher PARENT MEMORY DONE SESSION PROCESS_GROUP USER GROUP N GROUP_1 ... GROUP_N K FD_1 ... FD_K
            M PATH_1 ... PATH_M ARGUMENT_0 ...
   MEMORY receives the process IDs of the child and of the launcher. DONE, the write end of a pipe, is one of the FDs.
   Descriptors 0 to 2 and the FDs, in ascending order, stay open; all do if K is -1. USER, GROUP, N and PROCESS_GROUP
   are -1 for "unchanged". */
static int run(int argc, char **argv, char **envp)
{
    char **word = argv + 1, **end = argv + argc, **fds;
    struct program program;
    volatile struct {
        int32_t child;    /* its process ID; -1 if the launcher itself executes the program */
        int32_t launcher; /* its process ID */
    } *memory;
    long parent, memory_fd, count, mapped, result;
    int same_namespace;

    if (argc < 12)
        return FAILED;
    parent = number(*word++);
    memory_fd = number(*word++);
    program.done = (int)number(*word++);
    program.session = (int)number(*word++);
    program.process_group = (int)number(*word++);
    program.user = number(*word++);
    program.group = number(*word++);
    program.groups = number(*word++);
    program.group_ids = word;
    if (program.groups > GROUPS || program.groups > end - word)
        return FAILED;
    word += program.groups > 0 ? program.groups : 0;
    if (word >= end)
        return FAILED;
    count = number(*word++);
    fds = word;
    if (count > end - word)
        return FAILED;
    word += count > 0 ? count : 0;
    if (word >= end)
        return FAILED;
    program.paths = word + 1;
    if (number(*word) >= end - program.paths)
        return FAILED;
    program.arguments = program.paths + number(*word);
    program.environment = envp;

    result = call2(ftruncate, memory_fd, sizeof *memory);
    if (failed(result))
        return FAILED;
    mapped = map_shared(sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, (int)memory_fd);
    if (failed(mapped))
        return status_of(mapped);
    memory = (void *)mapped;
    same_namespace = call0(getppid) == parent;
    if (same_namespace)
        memory->launcher = (int32_t)call0(getpid); /* also maps the page: the kernel's store cannot fault */
    /* The parent trusts this memory, so the child must have neither the descriptor nor the mapping. */
    result = call3(madvise, mapped, sizeof *memory, MADV_DONTFORK);
    if (failed(result))
        return status_of(result);
    call1(close, memory_fd);
    if (count >= 0 && failed(close_others(count, fds)))
        return CANNOT_CLOSE;
    if (failed(call3(fcntl, program.done, F_SETFD, FD_CLOEXEC)))
        return FAILED;
    if (!same_namespace) {
        /* The parent cannot use process IDs of another PID namespace, and the first process of a namespace must not
           exit early: this process executes the program itself. */
        memory->child = -1;
        call2(munmap, mapped, sizeof *memory);
        execute(&program);
    }
    /* The child gets the launcher's parent as its parent. The kernel stores the process ID before clone returns, so it
       cannot be lost if a signal kills the launcher. */
#ifdef __s390x__
    result = call3(clone, 0, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, &memory->child);
#else
    result = call3(clone, CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD, 0, &memory->child);
#endif
    if (result == 0)
        execute(&program);
    return failed(result) ? status_of(result) : 0;
}

#ifndef RUSAGE_NO_LIBC
int main(int argc, char **argv)
{
    return run(argc, argv, environ);
}
#endif
