/* The launcher's child: change the attributes that the program inherits, and execute it. A part of launcher.c, which
   defines the system calls. */

#ifndef RUSAGE_LAUNCHER_CHILD_H
#define RUSAGE_LAUNCHER_CHILD_H

struct program {
    uint32_t flags, process_group, user, group;
    int done;
    struct numbers groups, fds, limits;
    char **paths, **arguments, **environment;
};

static int changes_ids(const struct program *program)
{
    return (program->flags & (LAUNCHER_SET_USER | LAUNCHER_SET_GROUP | LAUNCHER_SET_GROUPS)) != 0;
}

/* Send a report to the parent. */
static void report(int fd, int32_t step, long error)
{
    const int32_t numbers[2] = {step, (int32_t)-error};

    call3(write, fd, numbers, sizeof numbers);
}

/* Not inlined: its frame would cost every start another page of stack. */
static __attribute__((noinline)) long set_supplementary_groups(struct numbers list)
{
    uint32_t groups[LAUNCHER_MAX_GROUPS];
    long count = 0;

    while (list.next < list.end)
        groups[count++] = take(&list, LAUNCHER_MAX_ID);
    return call2(set_groups, count, groups);
}

/* In subprocess's order: the groups first, while the privilege to set them is still held. Return 0 or a negative
   errno. */
static long change_ids(const struct program *program)
{
    long result = 0;

    if (program->flags & LAUNCHER_SET_GROUPS)
        result = set_supplementary_groups(program->groups);
    if (!failed(result) && program->flags & LAUNCHER_SET_GROUP)
        result = call2(set_group, program->group, program->group);
    if (!failed(result) && program->flags & LAUNCHER_SET_USER)
        result = call2(set_user, program->user, program->user);
    /* The new user may not trace this process until it has executed the program. */
    if (!failed(result))
        result = system_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
    return failed(result) ? result : 0;
}

struct limit {
    uint64_t soft; /* cppcheck-suppress unusedStructMember; the kernel reads it */
    uint64_t hard;
};

static uint64_t take_64(struct numbers *numbers)
{
    uint64_t high = take(numbers, UINT32_MAX);

    return high << 32 | take(numbers, UINT32_MAX);
}

/* RLIMIT_NPROC is checked when the user changes, against the number of the new user's processes. Until then only the
   hard limit is raised, which needs the privilege that the change takes away. */
static long raise_process_limit(struct limit limit)
{
    struct limit current;
    long result = call4(prlimit64, 0, RLIMIT_NPROC, 0, &current);

    if (failed(result) || limit.hard <= current.hard)
        return result;
    current.hard = limit.hard;
    return call4(prlimit64, 0, RLIMIT_NPROC, &current, 0);
}

/* Set the limits before the IDs are changed, or the number of processes after that. Return 0 or a negative errno. */
static long set_limits(struct numbers limits, int ids_changed)
{
    long result = 0;

    while (limits.next < limits.end && !failed(result)) {
        uint32_t resource = take(&limits, UINT32_MAX);
        struct limit limit = {take_64(&limits), 0};

        limit.hard = take_64(&limits);
        if (resource == RLIMIT_NPROC && !ids_changed)
            result = raise_process_limit(limit);
        else if (ids_changed == (resource == RLIMIT_NPROC))
            result = call4(prlimit64, 0, resource, &limit, 0);
    }
    return failed(result) ? result : 0;
}

/* A limit on memory would prevent the stack from growing. Called before there is a child: a direct start follows if it
   cannot grow now. */
static __attribute__((noinline)) void touch_stack(void)
{
    volatile char pages[4 * 4096];
    unsigned long i;

    for (i = 0; i < sizeof pages; i += 1024)
        pages[i] = 0;
}

/* Change the attributes that the program inherits. Return the step that failed with a negative errno in *error, or 0. */
static int32_t prepare(const struct program *program, long *error)
{
    int has_limits = program->limits.next < program->limits.end;

    *error = 0;
    if (program->flags & LAUNCHER_SET_SESSION)
        *error = call0(setsid);
    if (!failed(*error) && program->flags & LAUNCHER_SET_PROCESS_GROUP)
        *error = call2(setpgid, 0, program->process_group);
    if (failed(*error))
        return LAUNCHER_BEFORE_EXEC;
    if (has_limits) {
        *error = set_limits(program->limits, 0);
        if (*error != 0)
            return LAUNCHER_LIMITS;
    }
    if (changes_ids(program)) {
        *error = change_ids(program);
        if (*error != 0)
            return LAUNCHER_BEFORE_EXEC;
    }
    *error = has_limits ? set_limits(program->limits, 1) : 0;
    return *error != 0 ? LAUNCHER_LIMITS : 0;
}

/* Execute the first path that can be executed, or report why that is not possible. End-of-file without a report means
   that this process has executed a program or has been killed. */
static __attribute__((noreturn)) void execute(const struct program *program)
{
    long error, result = 0;
    int32_t step = prepare(program, &error);
    char **path, **end = program->flags & LAUNCHER_FIRST_ONLY ? program->paths + 1 : program->arguments;

    if (step == 0) {
        step = LAUNCHER_EXEC;
        for (path = program->paths; path < end; path++) {
            result = call3(execve, *path, program->arguments, program->environment);
            /* As in subprocess: the first error other than a missing program. */
            if (error == 0 && result != -ENOENT && result != -ENOTDIR)
                error = result;
        }
        if (error == 0)
            error = result;
    }
    report(program->done, step, error);
    for (;;)
        call1(exit_group, LAUNCHER_FAILED);
}

#endif
