
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define BROTHER (CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_VFORK | CLONE_VM | SIGCHLD)

#ifdef RUSAGE_NO_LIBC
/* To start a C library takes longer than all that is done here. */
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__) && defined(__LP64__)
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
#elif defined(__aarch64__) && defined(__LP64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                  x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "there is no way around the C library for this processor"
#endif
}

#ifdef __x86_64__
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n hlt");
#else
__asm__(".globl _start\n_start: mov x29, 0\n mov x30, 0\n mov x0, sp\n and sp, x0, -16\n b start");
#endif

#define close(fd) call(SYS_close, fd, 0, 0, 0, 0, 0)
#define close_range(first, last, flags) call(SYS_close_range, first, last, flags, 0, 0, 0)
#define execve(path, argv, envp) call(SYS_execve, (long)(path), (long)(argv), (long)(envp), 0, 0, 0)
#define mmap(at, size, access, kind, fd, offset) (void *)call(SYS_mmap, (long)(at), size, access, kind, fd, offset)
#define setpgid(pid, group) call(SYS_setpgid, pid, group, 0, 0, 0, 0)
#define setsid() call(SYS_setsid, 0, 0, 0, 0, 0, 0)
#else
/* Not every C library has it. */
#define close_range(first, last, flags) syscall(SYS_close_range, first, last, flags)
#endif

/* launcher MEMORY SESSION GROUP K FD_1 ... FD_K N PATH_1 ... PATH_N ARGUMENT_0 ...: start the first PATH that can be
   executed, with file descriptors 0 to 2 and the FDs, which ascend, or with all if K is -1. */
enum { MEMORY = 1, SESSION, GROUP, K, FDS };

static char **arguments, **paths, **program, **environment;

/* What the parent reads when the launcher has ended. */
static struct { int32_t pid, failed; } *memory;

static int number(const char *text)
{
    int value = 0;

    if (*text == '-')
        return -1;
    for (; *text; text++)
        value = value * 10 + (*text - '0');
    return value;
}

static int close_others(int count, char **keep)
{
    unsigned int first = 3;

    for (; count > 0; count--, keep++) {
        unsigned int fd = (unsigned int)number(*keep);

        if (fd > first && close_range(first, fd - 1, 0) < 0)
            return -1;
        if (fd >= first)
            first = fd + 1;
    }
    return (int)close_range(first, ~0U, 0);
}

/* Become the target. It is the target that leads the session or group, not the launcher. */
static int target(void *unused)
{
    int group = number(arguments[GROUP]);

    (void)unused;
    if ((!number(arguments[SESSION]) || setsid() >= 0) && (group < 0 || setpgid(0, group) >= 0))
        for (; paths < program; paths++)
            execve(*paths, program, environment);
    memory->failed = 1;
    return 255;
}

/* Create the target: a brother, not a child, it has the launcher's parent. As with vfork, the launcher sleeps until the
   brother has executed its program. The kernel itself stores the pid before either runs on: no signal can lose it. */
static int launch(int argc, char **argv, char **envp)
{
    int count;

    if (argc <= FDS || argc <= FDS + number(argv[K]) + 1)
        return 255;
    arguments = argv;
    environment = envp;
    count = number(argv[K]);
    paths = argv + FDS + (count > 0 ? count : 0) + 1;
    program = paths + number(paths[-1]);
    if (program >= argv + argc)
        return 255;
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, number(argv[MEMORY]), 0);
    if ((uintptr_t)memory >= (uintptr_t)-4095)
        return 255;
    close(number(argv[MEMORY]));
    if (count >= 0 && close_others(count, argv + FDS) < 0)
        return 254;     /* an old kernel, or a sandbox: let another do it before */
#ifdef RUSAGE_NO_LIBC
    /* Both run on one stack: the brother goes deeper, and the launcher does not return to what that has overwritten. */
    if (call(SYS_clone, BROTHER, 0, (long)&memory->pid, 0, 0, 0) == 0)
        call(SYS_exit, target(NULL), 0, 0, 0, 0, 0);
    call(SYS_exit, 0, 0, 0, 0, 0, 0);
#else
    {
        static char stack[65536] __attribute__((aligned(16)));

        clone(target, stack + sizeof stack, BROTHER, NULL, &memory->pid);
    }
#endif
    return 0;
}

#ifdef RUSAGE_NO_LIBC
__attribute__((used, noreturn)) void start(char **stack)
{
    int argc = (int)*(long *)stack;

    for (;;)
        call(SYS_exit_group, launch(argc, stack + 1, stack + argc + 2), 0, 0, 0, 0, 0);
}
#else
int main(int argc, char **argv)
{
    return launch(argc, argv, environ);
}
#endif
