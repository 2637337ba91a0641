/* Windows: the processes of a tree, by one call of NtQuerySystemInformation(), which reports parents, times and sizes. */

typedef struct {
    char *buffer;
    ULONG capacity;
    const char **by_pid; /* the records, in the order of their process IDs */
    int count, by_pid_capacity;
} rusage_tree_state;

#define RUSAGE_NO_PERMISSION ERROR_ACCESS_DENIED
#define RUSAGE_NO_MEMORY ERROR_OUTOFMEMORY
#define RUSAGE_WAITED_ERROR 0.0

#include "../_c/tree_no_handles.h"
#include "../_c/tree.c"

/* The beginning of SYSTEM_PROCESS_INFORMATION; <winternl.h> names only some of its members. */
typedef struct {
    ULONG next, threads;
    LARGE_INTEGER private_working_set;
    ULONG hard_faults, threads_high_watermark;
    ULONGLONG cycles;
    LARGE_INTEGER created, user, kernel; /* 100 ns */
    struct {
        USHORT length, capacity;
        PWSTR text;
    } name;
    LONG priority;
    HANDLE pid, parent;
    ULONG handles, session;
    ULONG_PTR key;
    SIZE_T peak_virtual_size, virtual_size;
    ULONG page_faults;
    SIZE_T peak_working_set, working_set;
} rusage_system_process;

typedef LONG(WINAPI *rusage_query)(int information, PVOID buffer, ULONG size, PULONG needed);

enum { RUSAGE_SYSTEM_PROCESSES = 5, RUSAGE_TOO_SMALL = (int)0xC0000004 };

static int rusage_is_own(int pid)
{
    return (DWORD)pid == GetCurrentProcessId();
}

static int64_t rusage_tree_now(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
}

static const rusage_system_process *rusage_record_at(const char *at)
{
    return (const rusage_system_process *)(const void *)at;
}

static int rusage_pid_of(const rusage_system_process *process)
{
    return (int)(intptr_t)process->pid;
}

static int rusage_by_pid(const void *one, const void *other)
{
    int first = rusage_pid_of(rusage_record_at(*(const char *const *)one));
    int second = rusage_pid_of(rusage_record_at(*(const char *const *)other));

    return (first > second) - (first < second);
}

/* Fill the buffer with the records of all processes. */
static int rusage_query_processes(rusage_tree_state *state)
{
    HMODULE library = GetModuleHandleA("ntdll.dll");
    rusage_query query = NULL;
    FARPROC address = library == NULL ? NULL : GetProcAddress(library, "NtQuerySystemInformation");
    ULONG needed = 1 << 18;
    LONG status = RUSAGE_TOO_SMALL;
    int attempt;

    if (address == NULL)
        return (int)GetLastError();
    memcpy(&query, &address, sizeof query);
    for (attempt = 0; status == RUSAGE_TOO_SMALL && attempt < 10; attempt++) {
        if (needed > state->capacity) {
            char *buffer = realloc(state->buffer, needed);

            if (buffer == NULL)
                return RUSAGE_NO_MEMORY;
            state->buffer = buffer;
            state->capacity = needed;
        }
        status = query(RUSAGE_SYSTEM_PROCESSES, state->buffer, state->capacity, &needed);
        needed += needed / 4; /* some may start meanwhile */
        if (needed < state->capacity)
            needed = state->capacity * 2;
    }
    return status == 0 ? 0 : status == RUSAGE_TOO_SMALL ? ERROR_MORE_DATA : ERROR_GEN_FAILURE;
}

static int rusage_tree_list(rusage_tree *tree)
{
    rusage_tree_state *state = &tree->system;
    int error = rusage_query_processes(state);
    const char *at = state->buffer;

    state->count = 0;
    while (error == 0) {
        const rusage_system_process *process = rusage_record_at(at);

        error = rusage_tree_grow((void **)&state->by_pid, state->count, &state->by_pid_capacity, sizeof *state->by_pid);
        if (error == 0)
            error = rusage_tree_found(tree, rusage_pid_of(process), (int)(intptr_t)process->parent,
                                      (int64_t)process->created.QuadPart);
        if (error == 0)
            state->by_pid[state->count++] = at;
        if (process->next == 0)
            break;
        at += process->next;
    }
    qsort(state->by_pid, (size_t)state->count, sizeof *state->by_pid, rusage_by_pid);
    return error;
}

/* Orphans keep the process IDs of their parents, so a parent may be missing; but no process waits for another one. */
static int rusage_tree_is_complete(const rusage_tree *tree)
{
    (void)tree;
    return 1;
}

/* Open a member; NULL if the process has ended, or if the number belongs to another one. */
static HANDLE rusage_member_open(const rusage_member *member, DWORD access, int *error)
{
    HANDLE handle = OpenProcess(access | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)member->pid);
    FILETIME created, exited, kernel, user;

    *error = 0;
    if (handle == NULL) {
        *error = (int)GetLastError();
        if (*error == ERROR_INVALID_PARAMETER)
            *error = RUSAGE_NO_PROCESS;
        return NULL;
    }
    if (!GetProcessTimes(handle, &created, &exited, &kernel, &user))
        *error = (int)GetLastError();
    else if ((int64_t)((uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime) != member->start
             || WaitForSingleObject(handle, 0) != WAIT_TIMEOUT)
        *error = RUSAGE_NO_PROCESS;
    if (*error == 0)
        return handle;
    CloseHandle(handle);
    return NULL;
}

/* A member that is not in the list has ended, unless its handle shows that it lives. */
static void rusage_member_check(rusage_member *member)
{
    int error;
    HANDLE handle = rusage_member_open(member, 0, &error);

    member->state = handle == NULL ? RUSAGE_GONE : member->state;
    if (handle != NULL)
        CloseHandle(handle);
}

static int rusage_member_read(rusage_tree *tree, rusage_member *member, int wants_pss)
{
    rusage_system_process key;
    const char *at = (const char *)&key, *const * found;
    const rusage_system_process *process = NULL;

    (void)wants_pss;
    memset(&key, 0, sizeof key);
    key.pid = (HANDLE)(intptr_t)member->pid;
    if (tree->system.count == 0) { /* the root, before the first list */
        int error = rusage_tree_list(tree);

        tree->listed_count = 0;
        if (error != 0)
            return error;
    }
    found = bsearch(&at, tree->system.by_pid, (size_t)tree->system.count, sizeof at, rusage_by_pid);
    if (found != NULL)
        process = rusage_record_at(*found);
    if (process != NULL && member->start != 0 && (int64_t)process->created.QuadPart != member->start) {
        member->state = RUSAGE_GONE; /* another process has this number */
        return 0;
    }
    if (process == NULL) {
        rusage_member_check(member);
        return 0;
    }
    member->start = (int64_t)process->created.QuadPart;
    member->parent = (int)(intptr_t)process->parent;
    member->state = process->threads > 0 ? RUSAGE_LIVES : RUSAGE_ZOMBIE; /* it is kept by an open handle */
    member->rss = (int64_t)process->working_set;
    if (process->threads > 0)
        member->last.own = rusage_quotient((int64_t)(process->user.QuadPart + process->kernel.QuadPart), 10000000);
    return 0;
}

/* cppcheck-suppress constParameterPointer; Linux writes to it */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    int error;
    HANDLE handle = rusage_member_open(member, PROCESS_TERMINATE, &error);

    (void)tree;
    if (handle == NULL)
        return error;
    if (!TerminateProcess(handle, (UINT)number))
        error = (int)GetLastError();
    CloseHandle(handle);
    return error;
}

static void rusage_tree_end(rusage_tree *tree)
{
    free(tree->system.buffer);
    free((void *)tree->system.by_pid);
}
