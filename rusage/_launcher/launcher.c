/* The launcher: start a program as a child of the launcher's parent, without the parent's memory.

   On Linux the peak resident set size of a process starts at the peak of the process that forked it. Therefore the parent
   (start.py) executes this small program, which creates the child and exits. It runs with the rights of its parent, as the
   program does, and changes none. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

static __attribute__((noreturn)) void end(int status)
{
    _exit(status);
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
#define call4(name, a, b, c, d) system_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#include "protocol.cdef"

/* --- The arguments: decimal numbers ------------------------------------------------------------------------------- */

/* Numbers with a space between each two, and whether all that were taken are valid. */
struct numbers {
    const char *next;
    int valid;
};

/* Take a number of at most max. */
static uint64_t take(struct numbers *numbers, uint64_t max)
{
    const char *text = numbers->next;
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (digit > max || value > (max - digit) / 10)
            break;
        value = value * 10 + digit;
    }
    if (text == numbers->next || (*text != ' ' && *text != '\0'))
        numbers->valid = 0;
    numbers->next = *text == ' ' && text[1] != '\0' ? text + 1 : text;
    return value;
}

/* --- The child ---------------------------------------------------------------------------------------------------- */

struct program {
    uint64_t flags, process_group;
    uint64_t limit_numbers, limits[3 * LAUNCHER_MAX_LIMITS]; /* each: a resource, its soft and its hard limit */
    char *path, **arguments, **environment;
};

/* Return 0 or a negative errno. */
static long set_limits(const struct program *program)
{
    long result = 0;
    uint64_t i;

    for (i = 0; i < program->limit_numbers && !failed(result); i += 3) {
        const uint64_t *limit = program->limits + i;

        result = limit[0] > LAUNCHER_MAX_INT ? -EINVAL : call4(prlimit64, 0, limit[0], limit + 1, 0);
    }
    return result;
}

/* Change the attributes that the program inherits, in subprocess's order, and execute it. */
static __attribute__((noreturn)) void execute(const struct program *program, volatile launcher_memory *memory)
{
    long result = 0;

    if (program->flags & LAUNCHER_SET_SESSION)
        result = call0(setsid);
    if (!failed(result) && program->flags & LAUNCHER_SET_PROCESS_GROUP)
        result = call2(setpgid, 0, program->process_group);
    if (!failed(result))
        result = set_limits(program);
    if (!failed(result))
        call3(execve, program->path, program->arguments, program->environment);
    memory->failed = 1;
    end(LAUNCHER_FAILED);
}

/* --- The launcher ------------------------------------------------------------------------------------------------- */

static int status_of(long error)
{
    return error == -EAGAIN || error == -ENOMEM ? LAUNCHER_FAILED : LAUNCHER_REFUSED;
}

/* Close all descriptors above 2 except one. Return 0 or a negative errno. */
static long close_others(long kept)
{
    long result = kept > 3 ? call3(close_range, 3, kept - 1, 0) : 0;

    return failed(result) ? result : call3(close_range, kept + 1, ~0U, 0);
}

/* Create the child, which gets the launcher's parent as its parent. The kernel stores its process ID before it runs, so
   that the ID is not lost if a signal kills either. Return an exit status. */
static int create_child(const struct program *program, volatile launcher_memory *memory)
{
    const unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
    long result;

#ifdef HAS_CLONE_AND_EXIT
    /* A copy of the memory takes longer. Some emulators and sandboxes require it. */
    if (clone_and_exit(flags | CLONE_VM, &memory->child) == 0)
        execute(program, memory);
#endif
#ifdef __s390x__
    result = call3(clone, 0, flags, &memory->child);
#else
    result = call3(clone, flags, 0, &memory->child);
#endif
    if (result == 0)
        execute(program, memory);
    return failed(result) ? status_of(result) : 0;
}

/* launcher "VERSION FLAGS MEMORY DONE PROCESS_GROUP L LIMIT_1 ... LIMIT_L" PATH ARGUMENT_0 ...
   MEMORY is the descriptor of the launcher_memory; DONE is the write end of the pipe that the child closes by executing
   the program or by its end. FLAGS says whether the session and the process group are to be set, and whether only
   descriptors 0 to 2 stay open. */
static int run(int argc, char **argv, char **envp)
{
    struct numbers numbers = {argc > 1 ? argv[1] : "", 1};
    struct program program;
    volatile launcher_memory *memory;
    long memory_fd, done, mapped;
    uint64_t i;

    if (take(&numbers, UINT64_MAX) != LAUNCHER_VERSION)
        return LAUNCHER_REFUSED;
    program.flags = take(&numbers, LAUNCHER_ALL_FLAGS);
    memory_fd = (long)take(&numbers, LAUNCHER_MAX_INT);
    done = (long)take(&numbers, LAUNCHER_MAX_INT);
    program.process_group = take(&numbers, LAUNCHER_MAX_INT);
    program.limit_numbers = 3 * take(&numbers, LAUNCHER_MAX_LIMITS);
    for (i = 0; i < program.limit_numbers && numbers.valid; i++)
        program.limits[i] = take(&numbers, UINT64_MAX);
    if (!numbers.valid || *numbers.next != '\0' || argc < 3)
        return LAUNCHER_REFUSED;
    program.path = argv[2];
    program.arguments = argv + 3;
    program.environment = envp;

    if (failed(call2(ftruncate, memory_fd, sizeof *memory)) || failed(call3(fcntl, done, F_SETFD, FD_CLOEXEC)))
        return LAUNCHER_FAILED;
    mapped = map_shared(sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd);
    if (failed(mapped))
        return status_of(mapped);
    memory = (void *)mapped;
    memory->launcher = (int32_t)call0(getpid); /* also maps the page: the kernel's store cannot fault */
    call1(close, memory_fd);
    if (program.flags & LAUNCHER_CLOSE_OTHERS && failed(close_others(done)))
        return LAUNCHER_FAILED;
    return create_child(&program, memory);
}

#ifndef RUSAGE_NO_LIBC
int main(int argc, char **argv)
{
    return run(argc, argv, environ);
}
#endif
