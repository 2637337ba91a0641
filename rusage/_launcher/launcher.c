/* The launcher: start a program as a child of the launcher's parent, without the parent's memory.

   On Linux the peak resident set size of a process starts at the peak of the process that forked
   it. Therefore the parent (start.py) executes this small program, which creates the child and
   exits. It runs with the rights of its parent, as the program does, and changes none. */

#define _FILE_OFFSET_BITS 64        /* an inode may have 64 bits */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol.cdef"

/* --- System calls --- */

#ifdef RUSAGE_NO_LIBC
/* Starting a C library takes longer than everything that the launcher does, and a program without a
   dynamic loader ignores LD_PRELOAD. For each processor:
   - The entry point calls start() with the address of argc.
   - system_call returns the result or a negative errno.
   - clone_and_exit creates a child by clone(2), with the process ID in *pid, and exits with the
     status 0, or ends by a signal where a sandbox refuses that; it returns 0 in the child, or a
     negative errno. With CLONE_VM both processes use one stack, so this one must not use it after
     the call, and compiled code might. */
#define SYSTEM_CALL static inline __attribute__((always_inline)) long

#if defined(__x86_64__) && defined(__LP64__)

__asm__(".text\n.globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n"
        " call start\n hlt");

SYSTEM_CALL system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

SYSTEM_CALL clone_and_exit(unsigned long flags, volatile int32_t *pid)
{
    long result = SYS_clone;

    __asm__ volatile("syscall\n test %%rax, %%rax\n jle 1f\n xor %%edi, %%edi\n"
                     " mov %[exit], %%eax\n syscall\n ud2\n 1:"
                     : "+a"(result)
                     : "D"(flags), "S"(0L), "d"(pid), [exit] "i"(SYS_exit_group)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__) && defined(__LP64__)

__asm__(".text\n.globl _start\n_start: mov x29, 0\n mov x30, 0\n mov x0, sp\n and sp, x0, -16\n"
        " b start");

SYSTEM_CALL system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
                     x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
                     x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

SYSTEM_CALL clone_and_exit(unsigned long flags, volatile int32_t *pid)
{
    register long x8 __asm__("x8") = SYS_clone, x0 __asm__("x0") = (long)flags,
                     x1 __asm__("x1") = 0, x2 __asm__("x2") = (long)pid;

    __asm__ volatile(
        "svc 0\n cmp x0, 0\n b.le 1f\n mov x0, 0\n mov x8, %[exit]\n svc 0\n brk 1\n 1:"
        : "+r"(x0)
        : "r"(x8), "r"(x1), "r"(x2), [exit] "i"(SYS_exit_group)
        : "cc", "memory");
    return x0;
}

#else
#error "no system calls without a C library on this processor"
#endif

/* Return the address of a shared mapping of a file, or a negative errno. */
SYSTEM_CALL map_shared(long size, long access, long flags, long fd)
{
    return system_call(SYS_mmap, 0, size, access, flags, fd, 0);
}

SYSTEM_CALL file_status(const char *path, struct stat *status)
{
    return system_call(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, 0, 0, 0);
}

/* Exit, or end by a signal where a sandbox refuses that. */
static inline __attribute__((always_inline, noreturn)) void end(int status)
{
    system_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
    __builtin_trap();
}

#else

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

static long file_status(const char *path, struct stat *status)
{
    return stat(path, status) == 0 ? 0 : -(long)errno;
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
#define call4(name, a, b, c, d) \
    system_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* --- The arguments: decimal numbers --- */

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

/* --- The child --- */

struct program {
    uint64_t flags, process_group, umask;
    uint64_t paths_count, kept_count, kept[LAUNCHER_MAX_KEPT]; /* descriptors, ascending */
    uint64_t limit_numbers;
    uint64_t limits[3 * LAUNCHER_MAX_LIMITS]; /* each: a resource, its soft and its hard limit */
    char *directory, **paths, **arguments, **environment;
    struct stat launcher;
};

/* Return 0 or a negative errno. */
static long set_limits(const struct program *program)
{
    long result = 0;
    uint64_t i;

    for (i = 0; i < program->limit_numbers && !failed(result); i += 3) {
        const uint64_t *limit = program->limits + i;

        result = call4(prlimit64, 0, limit[0], limit + 1, 0);
    }
    return result;
}

/* Return 0 unless a path leads to the launcher, or that is unknown. A link in /proc depends on the
   process that follows it ("magic links" in symlink(7)): it may lead to the program that started
   the launcher. */
static long check_path(const struct program *program, const char *path)
{
    struct stat file;
    long result = file_status(path, &file);

    switch (result) {
    case 0:
        return file.st_ino == program->launcher.st_ino && file.st_dev == program->launcher.st_dev
                   ? -ELOOP
                   : 0;
    case -ENOENT:
    case -ENOTDIR:
    case -EACCES:
    case -ELOOP:
    case -ENAMETOOLONG:
        return 0;                       /* it leads to no file that execve(2) would find */
    default:
        return result;
    }
}

/* Change the attributes that the program inherits and try its paths, in subprocess's order. */
static __attribute__((noreturn)) void execute(const struct program *program,
                                              volatile launcher_memory *memory)
{
    long result = 0;
    uint64_t i;

    /* not in the launcher: /proc/self is another directory there */
    if (program->flags & LAUNCHER_SET_DIRECTORY)
        result = call1(chdir, program->directory);
    if (!failed(result) && program->flags & LAUNCHER_SET_UMASK)
        result = call1(umask, program->umask);
    if (!failed(result) && program->flags & LAUNCHER_SET_SESSION)
        result = call0(setsid);
    if (!failed(result) && program->flags & LAUNCHER_SET_PROCESS_GROUP)
        result = call2(setpgid, 0, program->process_group);
    if (!failed(result))
        result = set_limits(program);
    for (i = 0; i < program->paths_count && !failed(result); i++) {
        result = check_path(program, program->paths[i]);
        if (!failed(result))
            call3(execve, program->paths[i], program->arguments, program->environment);
    }
    memory->failed = 1;
    end(LAUNCHER_FAILED);
}

/* --- The launcher --- */

static int status_of(long error)
{
    return error == -EAGAIN || error == -ENOMEM ? LAUNCHER_FAILED : LAUNCHER_REFUSED;
}

/* Do what close_others() does, where close_range(2) is missing (before Linux 5.9) or refused. */
static long close_listed(const struct program *program)
{
    _Alignas(struct dirent) char entries[1024];
    long fd = call4(openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0), size = fd, at;

    while (!failed(size) && (size = call3(getdents64, fd, entries, sizeof entries)) > 0) {
        for (at = 0; at < size; at += ((struct dirent *)(entries + at))->d_reclen) {
            struct numbers name = {((struct dirent *)(entries + at))->d_name, 1};
            uint64_t other = take(&name, LAUNCHER_MAX_INT), i = 0;

            while (i < program->kept_count && program->kept[i] != other)
                i++;
            if (name.valid && other > 2 && other != (uint64_t)fd && i == program->kept_count)
                call1(close, other);
        }
    }
    return failed(size) ? size : call1(close, fd);
}

/* Close all descriptors above 2 that are not to be kept. Return 0 or a negative errno. */
static long close_others(const struct program *program)
{
    uint64_t first = 3, i;

    for (i = 0; i < program->kept_count; i++) {
        if (program->kept[i] > first && failed(call3(close_range, first, program->kept[i] - 1, 0)))
            return close_listed(program);
        first = program->kept[i] + 1;
    }
    return failed(call3(close_range, first, ~0U, 0)) ? close_listed(program) : 0;
}

/* Create the child, which gets the launcher's parent as its parent. The kernel stores its process
   ID before it runs, so that the ID is not lost if a signal kills either. Return an exit status. */
static int create_child(const struct program *program, volatile launcher_memory *memory)
{
    const unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
    long result;

#ifdef RUSAGE_NO_LIBC
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

/* launcher "VERSION FLAGS MEMORY DONE PROCESS_GROUP UMASK P K KEPT_1 ... KEPT_K L LIMIT_1 ...
   LIMIT_L" "MASK_1 MASK_2" DIRECTORY PATH_1 ... PATH_P ARGUMENT_0 ...
   MEMORY is the descriptor of the launcher_memory; DONE is the write end of the pipe that the child
   closes by executing the program or by its end. FLAGS says what is to be set, and whether only
   descriptors 0 to 2 and the kept ones stay open. MASK is the signal mask. */
static int run(int argc, char **argv, char **envp)
{
    struct numbers numbers = {argc > 1 ? argv[1] : "", 1}, masks = {argc > 2 ? argv[2] : "", 1};
    struct program program;
    volatile launcher_memory *memory;
    uint64_t mask[2], i;
    long memory_fd, done, mapped;

    if (take(&numbers, UINT64_MAX) != LAUNCHER_VERSION)
        return LAUNCHER_REFUSED;
    program.flags = take(&numbers, LAUNCHER_ALL_FLAGS);
    memory_fd = (long)take(&numbers, LAUNCHER_MAX_INT);
    done = (long)take(&numbers, LAUNCHER_MAX_INT);
    program.process_group = take(&numbers, LAUNCHER_MAX_INT);
    program.umask = take(&numbers, LAUNCHER_MAX_INT);
    program.paths_count = take(&numbers, LAUNCHER_MAX_INT);
    program.kept_count = take(&numbers, LAUNCHER_MAX_KEPT);
    for (i = 0; i < program.kept_count && numbers.valid; i++)
        program.kept[i] = take(&numbers, LAUNCHER_MAX_INT);
    program.limit_numbers = 3 * take(&numbers, LAUNCHER_MAX_LIMITS);
    for (i = 0; i < program.limit_numbers && numbers.valid; i++)
        program.limits[i] = take(&numbers, i % 3 == 0 ? LAUNCHER_MAX_INT : UINT64_MAX);
    mask[0] = take(&masks, UINT64_MAX);
    mask[1] = take(&masks, UINT64_MAX);
    if (!numbers.valid || *numbers.next != '\0' || !masks.valid || *masks.next != '\0'
        || (uint64_t)argc < 4 + program.paths_count)
        return LAUNCHER_REFUSED;
    program.directory = argv[3];
    program.paths = argv + 4;
    program.arguments = program.paths + program.paths_count;
    program.environment = envp;

    /* _NSIG is 65, and 128 on MIPS */
    if (failed(call4(rt_sigprocmask, SIG_SETMASK, mask, 0, _NSIG / 8))
        || failed(file_status("/proc/self/exe", &program.launcher))
        || failed(call2(ftruncate, memory_fd, sizeof *memory))
        || failed(call3(fcntl, done, F_SETFD, FD_CLOEXEC)))
        return LAUNCHER_FAILED;
    mapped = map_shared(sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd);
    if (failed(mapped))
        return status_of(mapped);
    memory = (void *)mapped;
    /* This also maps the page: the kernel's store cannot fault. */
    memory->launcher = (int32_t)call0(getpid);
    if (failed(call1(close, memory_fd))
        || (program.flags & LAUNCHER_CLOSE_OTHERS && failed(close_others(&program))))
        return LAUNCHER_FAILED;
    return create_child(&program, memory);
}

#ifdef RUSAGE_NO_LIBC
__attribute__((used, noreturn)) void start(char **stack)
{
    int argc = (int)*(long *)stack;

    end(run(argc, stack + 1, stack + argc + 2));
}
#else
int main(int argc, char **argv)
{
    return run(argc, argv, environ);
}
#endif
