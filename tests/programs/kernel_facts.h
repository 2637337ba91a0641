/* For kernel_facts.c: the C library or what takes its place, the kernel's values, and the load. */

#pragma once

/* --- The C library -------------------------------------------------------------------------------------------------- */

#ifndef BENCH_PROGRAM

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define MIB (1L << 20)
#ifndef MAP_ANON
#define MAP_ANON MAP_ANONYMOUS
#endif

static const char *program_path;
static int pipe_ends[2];
enum { WRITE_END = 20 };

static char *map(long size)
{
    char *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);

    if (memory == MAP_FAILED)
        exit(99);
#ifdef MADV_NOHUGEPAGE                  /* a fault for each page */
    madvise(memory, (size_t)size, MADV_NOHUGEPAGE);
#endif
    return memory;
}

static char *touch(char *memory, long size)
{
    long i;

    for (i = 0; i < size; i += 4096)
        ((volatile char *)memory)[i] = 1;
    return memory;
}

static void sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void open_pipe(void)
{
    if (pipe(pipe_ends) != 0 || dup2(pipe_ends[1], WRITE_END) != WRITE_END)
        exit(99);
}

static void pass(const void *data, size_t size)
{
    if (write(WRITE_END, data, size) != (ssize_t)size)
        exit(99);
}

static int receive(void *data, size_t size)
{
    return read(pipe_ends[0], data, size) == (ssize_t)size ? 0 : -1;
}

#define processors() sysconf(_SC_NPROCESSORS_ONLN)

#else

#include <sys/stat.h>

/* The backend notes the root directory. Here no file is looked at; a header may define a better one. */
__attribute__((weak)) int stat(const char *path, struct stat *status)
{
    (void)path;
    (void)status;
    return -1;
}

#define program_path BENCH_PROGRAM
#define processors() 1L

/* Nothing is freed: the program ends soon. */
void *malloc(size_t size)
{
    return map((long)size);
}

void free(void *memory)
{
    (void)memory;
}

#endif

/* --- What the kernel shows, and how it is printed --------------------------------------------------------------------- */

enum { COUNT = RUSAGE_FIELD_COUNT };
#define NAME(name) "ru_" #name,
static const char *const names[] = {RUSAGE_FIELDS(NAME, NAME, NAME, NAME)};
#define INDEX(name) RUSAGE_INDEX_##name

typedef struct {
    double of[COUNT];                   /* in the package's units */
} values;

static int differences;
static const double ANY = 1e18;         /* no upper bound */

static rusage_call request(int who, uint32_t measured)
{
    rusage_call call;

    memset(&call, 0, sizeof call);
    call.who = who;
    call.measured = measured;
    call.maxrss_bytes = CLAIM_MAXRSS_BYTES;
    call.integral_bytes = CLAIM_INTEGRAL_BYTES;
#ifdef RUSAGE_HAS_STATCLOCK
    call.integral_hz = rusage_statclock_hz();
#endif
    return call;
}

static values values_of(const rusage_call *call)
{
    values found;

#define VALUE(name) found.of[INDEX(name)] = (double)call->record.name;
    RUSAGE_FIELDS(VALUE, VALUE, VALUE, VALUE)
    return found;
}

/* All that the kernel reports, whether it is claimed or not. */
static values usage(int who)
{
    rusage_call call = request(who, UINT32_MAX);

    if (rusage_get(&call) != 0)
        memset(&call.record, 0, sizeof call.record);
    return values_of(&call);
}

static values wait_for_child(pid_t pid)
{
    rusage_call call = request(0, UINT32_MAX);
    int status = 0;

    if (rusage_wait4(pid, &status, 0, &call) != pid || status != 0) {
        printf("the child %d failed: status %d\n", (int)pid, status);
        differences++;
    }
    return values_of(&call);
}

static double cputime(values used)
{
    return used.of[INDEX(utime)] + used.of[INDEX(stime)];
}

/* A claim, and what the kernel shows in the words and numbers of the format; whether they agree. */
static void compare(int holds, const char *claim, const char *format, ...)
{
    va_list list;

    printf("%-7s %-66s | ", holds ? "ok" : "DIFFERS", claim);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    differences += !holds;
}

static void compare_field(uint32_t claimed, int field, const char *action, double least, double seen, double most)
{
    if ((claimed >> field & 1) == 0) {
        printf("%-7s %-11s %-54s | %.2f\n", "", names[field], "is not measured", seen);
        return;
    }
    printf("%-7s %-11s %-54s | %.2f of %.2f to ", seen >= least && seen <= most ? "ok" : "DIFFERS", names[field],
           action, seen, least);
    if (most < ANY)
        printf("%.2f\n", most);
    else
        printf("any\n");
    differences += !(seen >= least && seen <= most);
}

/* --- Load ------------------------------------------------------------------------------------------------------------ */

static void busy(double wall_seconds)
{
    double end = now() + wall_seconds;

    while (now() < end)
        continue;
}

/* Until the kernel has counted so much. */
static void use_seconds(double amount)
{
    double end = cputime(usage(RUSAGE_SELF)) + amount;

    while (cputime(usage(RUSAGE_SELF)) < end)
        busy(0.01);
}

static void on_signal(int number)
{
    (void)number;
}

static void send_signals(int count)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, NULL);
    while (count-- > 0)
        kill(getpid(), SIGUSR1);
}

static void send_messages(int count)
{
    int files[2];
    char byte = 'x';

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, files) != 0)
        return;
    while (count-- > 0)
        if (write(files[0], &byte, 1) != 1 || read(files[1], &byte, 1) != 1)
            break;
    close(files[0]);
    close(files[1]);
}

static pid_t start(const char *kind, void (*before_exec)(void))
{
    char *const argv[] = {(char *)program_path, (char *)kind, NULL}, *const environment[] = {NULL};
    pid_t pid = fork();

    if (pid == 0) {
        if (before_exec != NULL)
            before_exec();
        execve(program_path, argv, environment);
        _exit(127);
    }
    return pid;
}

static void run_as_child(const char *kind)
{
    values own;
    int i;

    if (strcmp(kind, "quick") == 0)
        return;
    if (strcmp(kind, "large") == 0) {
        touch(map(100 * MIB), 100 * MIB);
        use_seconds(0.2);
    } else {
        touch(map(32 * MIB), 32 * MIB);
        use_seconds(0.5);
        send_messages(7);
        send_signals(7);
        for (i = 0; i < 20; i++)
            sleep_ms(10);
    }
    own = usage(RUSAGE_SELF);
    pass(&own, sizeof own);
    if (strcmp(kind, "stay") == 0)
        sleep_ms(4000);
}
