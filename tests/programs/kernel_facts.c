/* Print each claim of a backend beside what the running kernel shows, and exit with 1 if they differ.

   tests/tools/kernel_facts.py writes a file that includes the C of the backend, defines its claims and includes this
   file. A header that takes the place of a C library, for kernels without any other program, may have been included
   before: it defines BENCH_PROGRAM, the program's path, and the functions of the first part of kernel_facts.h.

   The program starts itself: "quick" exits at once, "busy" uses some of everything, "stay" also waits then, and
   "large" touches memory. The last three pass their usage to their parent. */

#include "kernel_facts.h"

/* --- The claims ------------------------------------------------------------------------------------------------------ */

static void this_process(void)
{
    values before, after;
    long pages = 64 * MIB / getpagesize(), i, others = processors();
    pid_t pids[1024];

#define GREW(name, action, least, most) \
    compare_field(CLAIM_SELF, INDEX(name), action, least, after.of[INDEX(name)] - before.of[INDEX(name)], most)
#define BEGIN before = usage(RUSAGE_SELF)
#define END after = usage(RUSAGE_SELF)
    printf("\nThis process\n");
    BEGIN;
    busy(1);
    END;
    compare(cputime(after) - cputime(before) > 0 && cputime(after) - cputime(before) < 1.2,
            "ru_utime + ru_stime grow by at most 1 s in a busy second", "%.3f s", cputime(after) - cputime(before));
    BEGIN;
    touch(map(64 * MIB), 64 * MIB);
    use_seconds(0.3);                   /* ticks that sample the size */
    END;
    GREW(minflt, "grows by a fault for each page", (double)pages, (double)pages * 1.1 + 100);
    compare_field(CLAIM_SELF, INDEX(maxrss), "is at least 64 MiB then, in bytes", 64.0 * MIB, after.of[INDEX(maxrss)],
                  before.of[INDEX(maxrss)] + 72.0 * MIB);
    for (i = INDEX(ixrss); i <= INDEX(isrss); i++)
        before.of[i] = after.of[i] - before.of[i];
    compare_field(CLAIM_SELF, INDEX(ixrss), "and others: per second of CPU time, a size in bytes", 4096,
                  (before.of[INDEX(ixrss)] + before.of[INDEX(idrss)] + before.of[INDEX(isrss)])
                      / (cputime(after) - cputime(before)),
                  4096.0 * MIB);
    BEGIN;
    send_messages(10);
    END;
    GREW(msgsnd, "grows by 10 messages", 10, 10);
    GREW(msgrcv, "grows by 10 messages", 10, 10);
    BEGIN;
    send_signals(10);
    END;
    GREW(nsignals, "grows by 10 signals with a handler", 10, 10);
    BEGIN;
    for (i = 0; i < 10; i++)
        sleep_ms(20);
    END;
    GREW(nvcsw, "grows by 10 sleeps", 10, 30);
    if (others > 1024)
        others = 1024;
    for (i = 0; i < others; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            busy(2);
            _exit(0);
        }
    }
    BEGIN;
    busy(2);
    END;
    for (i = 0; i < others; i++)
        wait_for_child(pids[i]);
    GREW(nivcsw, "grows in 2 s beside a busy process for each CPU", 1, ANY);
    compare(rusage_rss() >= 64 * MIB, "rss() is at least the 64 MiB that are touched", "%ld bytes", (long)rusage_rss());
}

static void thread(void)
{
    rusage_call call = request(1, UINT32_MAX);
    values own = usage(RUSAGE_SELF);
    int error = rusage_get(&call);

    printf("\nRUSAGE_THREAD\n");
#ifdef CLAIM_THREAD
    compare(error == 0 && cputime(values_of(&call)) > cputime(own) - 0.1
                && cputime(values_of(&call)) < cputime(own) + 0.1,
            "it has the times of the only thread", "error %d, %.3f s beside %.3f s", error, cputime(values_of(&call)),
            cputime(own));
#else
    (void)own;
    compare(error == EINVAL, "it does not exist", "error %d", error);
#endif
}

/* The difference that is allowed between a child's own last reading and the final value: less than one doubling. */
static double slack(int field, double own)
{
    switch (field) {
    case INDEX(utime):
    case INDEX(stime):
        return 0.3;
    case INDEX(msgsnd): /* the reading itself is passed by a pipe, which FreeBSD counts */
        return 1;
    case INDEX(msgrcv):
    case INDEX(nsignals):
        return 0;
    case INDEX(nvcsw):
        return 10;
    case INDEX(nivcsw):
        return 50;
    default:
        return own / 4 + 5;
    }
}

static void waited_child(void)
{
    values own, waited, before = usage(RUSAGE_CHILDREN), after;
    pid_t pid = start("busy", NULL);
    int field;

    printf("\nA child: wait4 beside its own last reading\n");
    if (receive(&own, sizeof own) != 0)
        differences++;
    waited = wait_for_child(pid);
    for (field = 0; field < COUNT; field++)
        if (field == INDEX(maxrss))     /* its upper bound is a claim of its own */
            compare_field(CLAIM_WAITED, field, "is at least its own", own.of[field] * 0.75, waited.of[field], ANY);
        else if (field >= INDEX(ixrss) && field <= INDEX(isrss))
            compare_field(CLAIM_WAITED, field, "is at least its own", own.of[field], waited.of[field], ANY);
        else
            compare_field(CLAIM_WAITED, field, "is its own", own.of[field] - (field <= INDEX(stime) ? 0.03 : 0),
                          waited.of[field], own.of[field] + slack(field, own.of[field]));
    after = usage(RUSAGE_CHILDREN);
    printf("\nRUSAGE_CHILDREN beside wait4\n");
    for (field = 0; field < COUNT; field++)
        if (field != INDEX(maxrss) && (CLAIM_WAITED >> field & 1) != 0)
            compare_field(CLAIM_CHILDREN, field, "grows by the child's", waited.of[field] - 0.03,
                          after.of[field] - before.of[field], waited.of[field] + 1.03);
}

static void other_process(void)
{
#ifdef CLAIM_PROCESS
    rusage_process process;
    rusage_call call = request(0, CLAIM_PROCESS);
    values own, seen;
    pid_t pid = start("stay", NULL);
    int field, error, ended, status;

    printf("\nProcess: a child beside its own reading\n");
    if (receive(&own, sizeof own) != 0)
        differences++;
    sleep_ms(300);
    memset(&process, 0, sizeof process);
    error = rusage_process_open(&process, pid, &call);
    compare(error == 0, "it can be opened", "error %d", error);
    if (error == 0)
        error = rusage_process_get(&process, &call);
    seen = values_of(&call);
    for (field = 0; field < COUNT; field++)
        compare_field(CLAIM_PROCESS & process.measured, field, "is the process's own",
                      own.of[field]
                          - (field == INDEX(maxrss)  ? own.of[field] / 4
                             : field <= INDEX(stime) ? 0.1
                                                     : 0),
                      seen.of[field], own.of[field] + slack(field, own.of[field]));
    compare(rusage_process_rss(&process, &call) >= 32 * MIB, "Process.rss() is at least the 32 MiB that are touched",
            "%ld bytes", (long)rusage_process_rss(&process, &call));
    kill(pid, SIGKILL);
    sleep_ms(500);
    ended = rusage_process_get(&process, &call);
    compare(ended == RUSAGE_NO_PROCESS, "a zombie has ended", "error %d", ended);
    rusage_wait4(pid, &status, 0, &call);
    ended = rusage_process_get(&process, &call);
    compare(ended == RUSAGE_NO_PROCESS, "a process that was waited for has ended", "error %d", ended);
    rusage_process_close(&process);
#else
    printf("\nProcess does not exist\n");
#endif
}

static void be_busy(void)
{
    use_seconds(0.2);                   /* several ticks of each clock */
}

static void touch_16(void)
{
    touch(map(16 * MIB), 16 * MIB);
    be_busy();
}

/* The largest peak of some children, in bytes. */
static double peak_of(const char *kind, void (*before_exec)(void), int count)
{
    double largest = 0;
    values own;

    while (count-- > 0) {
        pid_t pid = start(kind, before_exec);
        double peak;

        if (strcmp(kind, "quick") != 0 && receive(&own, sizeof own) != 0)
            differences++;
        peak = wait_for_child(pid).of[INDEX(maxrss)];
        largest = peak > largest ? peak : largest;
    }
    return largest;
}

/* A child that only executes a program has the peak of its parent, which holds 64 MiB, or of this small program. */
static void peak_of_children(void)
{
    char claim[] = "the peak is by the rule \"" CLAIM_CHILD_PEAK "\"";
    double small, touched, large;

    printf("\nPeaks of children; the parent holds 64 MiB\n");
    if ((CLAIM_WAITED >> INDEX(maxrss) & 1) == 0) {
        printf("        not measured\n");
        return;
    }
    small = peak_of("quick", be_busy, 4);
    touched = peak_of("quick", touch_16, 4);
    large = peak_of("large", NULL, 1);
    if (CLAIM_PEAK_IS_OWN)
        compare(small < 32.0 * MIB && touched < 32.0 * MIB, claim, "%.0f KiB, %.0f KiB after 16 MiB", small / 1024,
                touched / 1024);
    else if (CLAIM_PEAK_IS_TOUCHED)
        compare(small <= CLAIM_TOUCHED && touched >= 4.0 * MIB && touched < 32.0 * MIB, claim,
                "%.0f KiB, %.0f KiB after 16 MiB", small / 1024, touched / 1024);
    else
        compare(small >= 48.0 * MIB, claim, "%.0f KiB: %s", small / 1024,
                small >= 48.0 * MIB ? "the parent's" : "its own");
    compare(large >= 75.0 * MIB, "of a child that touches 100 MiB it is at least that", "%.0f KiB", large / 1024);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
#ifndef BENCH_PROGRAM
        program_path = argv[0];
#endif
        run_as_child(argv[1]);
        return 0;
    }
#ifndef BENCH_PROGRAM
    program_path = argv[0];
    setvbuf(stdout, NULL, _IONBF, 0);
#endif
    open_pipe();
    printf("%s: the claims of the package beside the kernel\n", CLAIM_SYSTEM);
    waited_child();
    other_process();
    this_process();
    thread();
    peak_of_children();
    printf("\n%d differences. Not tried: ru_majflt, ru_nswap, ru_inblock, ru_oublock of this process\n", differences);
    return differences != 0;
}
