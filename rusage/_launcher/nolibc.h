/* System calls without a C library. Starting a C library takes longer than everything that the launcher does, and a
   program without a dynamic loader ignores LD_PRELOAD. On architectures not listed here, the C library is used. */

#ifndef RUSAGE_NOLIBC_H
#define RUSAGE_NOLIBC_H

#include <stdint.h>
#include <sys/syscall.h>

/* For each processor:
   - The entry point calls start() with the address of argc.
   - system_call returns the result or a negative errno.
   - clone_and_exit, on the most common ones, creates a child by clone(2), with the process ID in *pid, and exits with the
     status 0, or ends by a signal where a sandbox refuses that; it returns 0 in the child, or a negative errno. With
     CLONE_VM both processes use one stack, so this one must not use it after the call, and compiled code might. */
#define SYSTEM_CALL static inline __attribute__((always_inline)) long

#if defined(__x86_64__) && defined(__LP64__)

__asm__(".text\n.globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n hlt");

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

    __asm__ volatile("syscall\n test %%rax, %%rax\n jle 1f\n xor %%edi, %%edi\n mov %[exit], %%eax\n syscall\n ud2\n 1:"
                     : "+a"(result)
                     : "D"(flags), "S"(0L), "d"(pid), [exit] "i"(SYS_exit_group)
                     : "rcx", "r11", "memory");
    return result;
}
#define HAS_CLONE_AND_EXIT

#elif defined(__aarch64__) && defined(__LP64__)

__asm__(".text\n.globl _start\n_start: mov x29, 0\n mov x30, 0\n mov x0, sp\n and sp, x0, -16\n b start");

SYSTEM_CALL system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                     x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

SYSTEM_CALL clone_and_exit(unsigned long flags, volatile int32_t *pid)
{
    register long x8 __asm__("x8") = SYS_clone, x0 __asm__("x0") = (long)flags, x1 __asm__("x1") = 0,
                     x2 __asm__("x2") = (long)pid;

    __asm__ volatile("svc 0\n cmp x0, 0\n b.le 1f\n mov x0, 0\n mov x8, %[exit]\n svc 0\n brk 1\n 1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), [exit] "i"(SYS_exit_group)
                     : "cc", "memory");
    return x0;
}
#define HAS_CLONE_AND_EXIT

#elif defined(__riscv) && __riscv_xlen == 64

__asm__(".text\n.globl _start\n_start: .option push\n .option norelax\n lla gp, __global_pointer$\n .option pop\n"
        " mv a0, sp\n andi sp, sp, -16\n tail start");

SYSTEM_CALL system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                     a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
    return a0;
}

#else
#error "no system calls without a C library on this processor"
#endif

/* Return the address of a shared mapping of a file, or a negative errno. */
SYSTEM_CALL map_shared(long size, long access, long flags, long fd)
{
    return system_call(SYS_mmap, 0, size, access, flags, fd, 0);
}

/* Exit, or end by a signal where a sandbox refuses that. */
static inline __attribute__((always_inline, noreturn)) void end(int status)
{
    system_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
    __builtin_trap();
}

/* Defined by the program, like main with the environment as the third parameter. */
static int run(int argc, char **argv, char **envp);

__attribute__((used, noreturn)) void start(char **stack)
{
    int argc = (int)*(long *)stack;

    end(run(argc, stack + 1, stack + argc + 2));
}

#endif
