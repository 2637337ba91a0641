/* The launcher: start a program as a child of the launcher's parent, without the parent's memory.

   On Linux the peak resident set size of a process starts at the peak of the process that forked it. Therefore the parent
   executes this small program, which creates the child. Protocol: see launcher_protocol.py; security: see
   launcher.py. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
#define call4(name, a, b, c, d) system_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
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

#include "launcher_protocol.h"
#include "launcher_child.h"

static int status_of(long error)
{
    return error == -EAGAIN || error == -ENOMEM ? LAUNCHER_FAILED : LAUNCHER_REFUSED;
}

/* Close all descriptors above 2 except fds, which are in ascending order. */
static long close_others(struct numbers fds)
{
    uint32_t first = 3;
    long result;

    while (fds.next < fds.end) {
        uint32_t fd = take(&fds, LAUNCHER_MAX_INT);

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

/* Return whether descriptors are in ascending order, and the pipe is one of them. */
static int valid_fds(struct numbers fds, uint32_t done)
{
    uint32_t least = 0;
    int has_done = 0;

    while (fds.next < fds.end) {
        uint32_t fd = take(&fds, LAUNCHER_MAX_INT);

        if (fd < least)
            return 0;
        has_done |= fd == done;
        least = fd + 1;
    }
    return has_done;
}

/* Prepare the descriptors for the child. Return 0 or an exit status. */
static int close_fds(const struct program *program, int memory_fd)
{
    call1(close, memory_fd);
    if (program->flags & LAUNCHER_CLOSE_OTHERS && failed(close_others(program->fds)))
        return LAUNCHER_FAILED;
    return failed(call3(fcntl, program->done, F_SETFD, FD_CLOEXEC)) ? LAUNCHER_FAILED : 0;
}

/* Where the parent is in another PID namespace it cannot use the process IDs of this one, and the first process of a
   namespace must not exit early: this process executes the program itself. */
static int execute_in_place(const struct program *program, int memory_fd)
{
    int status = close_fds(program, memory_fd);

    if (status != 0)
        return status;
    report(program->done, LAUNCHER_IN_PLACE, 0);
    execute(program);
}

/* The process IDs that the parent reads. */
struct memory {
    int32_t child, launcher;
};

/* Create the child, which executes the program. */
static int create_child(const struct program *program, int memory_fd)
{
    volatile struct memory *memory;
    long mapped, result = call2(ftruncate, memory_fd, sizeof *memory);
    const unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
    int status;

    if (failed(result))
        return LAUNCHER_FAILED;
    mapped = map_shared(sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd);
    if (failed(mapped))
        return status_of(mapped);
    memory = (void *)mapped;
    memory->launcher = (int32_t)call0(getpid); /* also maps the page: the kernel's store cannot fault */
    /* The parent trusts this memory, so a child of another user must have neither the descriptor nor the mapping. */
    result = call3(madvise, mapped, sizeof *memory, MADV_DONTFORK);
    if (failed(result))
        return status_of(result);
    status = close_fds(program, memory_fd);
    if (status != 0)
        return status;
    /* The child gets the launcher's parent as its parent. The kernel stores the process ID before clone returns, so it
       cannot be lost if a signal kills the launcher. */
#ifdef RUSAGE_NO_LIBC
    /* A copy of the memory takes longer. Some emulators and sandboxes require it. */
    if (!changes_ids(program) && clone_and_exit(flags | CLONE_VM, &memory->child) == 0)
        execute(program);
#endif
#ifdef __s390x__
    result = call3(clone, 0, flags, &memory->child);
#else
    result = call3(clone, flags, 0, &memory->child);
#endif
    if (result == 0)
        execute(program);
    return failed(result) ? status_of(result) : 0;
}

/* launcher "VERSION FLAGS PARENT MEMORY DONE PROCESS_GROUP USER GROUP
             N GROUP_1 ... GROUP_N L LIMIT_1 ... LIMIT_L K FD_1 ... FD_K M" PATH_1 ... PATH_M ARGUMENT_0 ...
   MEMORY receives the process IDs of the child and of the launcher; DONE is the write end of the pipe for reports.
   A LIMIT is a resource, and a soft and a hard limit of two numbers each, the higher 32 bits first.
   FLAGS says which of the other values are used. With CLOSE_OTHERS only descriptors 0 to 2 and the FDs, in ascending
   order and with DONE, stay open. */
static int run(int argc, char **argv, char **envp)
{
    struct numbers numbers = {argc > 1 ? argv[1] : "", NULL, 1};
    struct program program;
    uint32_t parent, memory_fd, paths;

    if (take(&numbers, UINT32_MAX) != LAUNCHER_VERSION)
        return LAUNCHER_NOT_UNDERSTOOD;
    program.flags = take(&numbers, LAUNCHER_ALL_FLAGS);
    parent = take(&numbers, LAUNCHER_MAX_INT);
    memory_fd = take(&numbers, LAUNCHER_MAX_INT);
    program.done = (int)take(&numbers, LAUNCHER_MAX_INT);
    program.process_group = take(&numbers, LAUNCHER_MAX_INT);
    program.user = take(&numbers, LAUNCHER_MAX_ID);
    program.group = take(&numbers, LAUNCHER_MAX_ID);
    program.groups = take_list(&numbers, LAUNCHER_MAX_GROUPS, 1, LAUNCHER_MAX_ID);
    program.limits = take_list(&numbers, LAUNCHER_MAX_LIMITS, LIMIT_NUMBERS, UINT32_MAX);
    program.fds = take_list(&numbers, LAUNCHER_MAX_INT, 1, LAUNCHER_MAX_INT);
    paths = take(&numbers, LAUNCHER_MAX_INT);
    if (!numbers.valid || *numbers.next != '\0' || paths == 0 || argc < 2 || paths > (uint32_t)argc - 2
        || (program.flags & LAUNCHER_CLOSE_OTHERS && !valid_fds(program.fds, (uint32_t)program.done)))
        return LAUNCHER_NOT_UNDERSTOOD;
    program.paths = argv + 2;
    program.arguments = program.paths + paths;
    program.environment = envp;

    if (program.limits.next < program.limits.end)
        touch_stack();
    if (call0(getppid) != (long)parent) {
        program.flags &= ~(uint32_t)LAUNCHER_FIRST_ONLY; /* the parent cannot start it again with the other paths */
        return execute_in_place(&program, (int)memory_fd);
    }
    return create_child(&program, (int)memory_fd);
}

#ifndef RUSAGE_NO_LIBC
int main(int argc, char **argv)
{
    return run(argc, argv, environ);
}
#endif
