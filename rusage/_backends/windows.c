/* Windows. */

#include <windows.h>
#include <psapi.h>
#include <tlhelp32.h>

/* GetLastError has no code for this; the bit is reserved for codes of applications. */
#define RUSAGE_NO_PROCESS (1 << 29)
#define RUSAGE_NO_PERMISSION ERROR_ACCESS_DENIED
#define RUSAGE_NO_MEMORY ERROR_OUTOFMEMORY
/* From an open handle: the process starts or ends now. */
#define RUSAGE_TRY_AGAIN ERROR_ACCESS_DENIED
#define RUSAGE_WAITED_ERROR 0.0
/* A child keeps the ID of a parent that has ended. Any handle, of any process, keeps one that has
   ended. */
enum { RUSAGE_PARENT_IDS_DANGLE = 1, RUSAGE_HAS_ZOMBIES = 0 };
#include "../_c/by_pid.c"
#include "../_c/convert.c"

enum { RUSAGE_THREAD = 1 };

/* In units of 100 ns, of which 2^53 are 28 years. */
enum { RUSAGE_FILETIMES = 10000000 };   /* in a second */

static int64_t rusage_number_of(FILETIME time)
{
    return (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
}

/* Read the usage, the start and the resident set size of a process. If only its memory cannot be
   read, its times are set. */
static int rusage_read_usage(HANDLE process, rusage_figures *figures, rusage_call *call)
{
    FILETIME created, exited, kernel, user;
    PROCESS_MEMORY_COUNTERS memory;
    rusage_values values = {0};
    int error = 0;

    if (!GetProcessTimes(process, &created, &exited, &kernel, &user))
        return (int)GetLastError();
    figures->start = rusage_number_of(created);
    values.utime = rusage_number_of(user);
    values.stime = rusage_number_of(kernel);
    if (K32GetProcessMemoryInfo(process, &memory, sizeof memory)) {
        values.maxrss = (int64_t)memory.PeakWorkingSetSize;
        values.minflt = memory.PageFaultCount;
        figures->rss = (int64_t)memory.WorkingSetSize;
    } else
        error = (int)GetLastError();
    rusage_set_usage(figures, &values, RUSAGE_FILETIMES, call);
    return error;
}

static int rusage_get_process(intptr_t handle, rusage_call *call)
{
    rusage_figures figures;

    return rusage_read_usage((HANDLE)handle, &figures, call);
}

static int64_t rusage_rss(void)
{
    rusage_figures figures;
    int error = rusage_read_usage(GetCurrentProcess(), &figures, NULL);

    return error != 0 ? -(int64_t)error : figures.rss;
}

/* Return NULL if there is none. */
static HANDLE rusage_open(int pid, DWORD access, int *error)
{
    HANDLE handle = OpenProcess(access, FALSE, (DWORD)pid);

    *error = handle != NULL ? 0 : (int)GetLastError();
    if (*error == ERROR_INVALID_PARAMETER)
        *error = RUSAGE_NO_PROCESS;
    return handle;
}

/* Get the process ID of a process's parent: the last member of PROCESS_BASIC_INFORMATION, each of
   which has the size of a pointer. Not all versions of <winternl.h> name it. */
static int rusage_get_parent(HANDLE process, int *parent)
{
    ULONG_PTR record[6];
    LONG(WINAPI * query)(HANDLE process, int information, void *record, ULONG size, ULONG *needed);
    FARPROC address = GetProcAddress(GetModuleHandleA("ntdll.dll"), "NtQueryInformationProcess");

    if (address == NULL)
        return (int)GetLastError();
    memcpy(&query, &address, sizeof query);
    if (query(process, 0, record, sizeof record, NULL) != 0)
        return ERROR_GEN_FAILURE;
    *parent = (int)record[5];
    return 0;
}

/* Set the name to the name of the program's file, or to the part for which there is room. */
static void rusage_read_name(HANDLE process, rusage_figures *figures)
{
    WCHAR path[4096];
    int end = (int)K32GetProcessImageFileNameW(process, path, 4096), start = end, size = 0;

    while (start > 0 && path[start - 1] != '\\')
        start--;
    while (size == 0 && start < end)
        size = WideCharToMultiByte(CP_UTF8, 0, path + start, end-- - start, figures->name,
                                   sizeof figures->name - 1, NULL, NULL);
    figures->name[size] = '\0';
}

/* The kernel keeps a process that has ended while a handle of it is open. OpenProcess() ignores the
   two lowest bits, which process IDs do not use. Access denied to a process that could be read
   before means that another process has got its number. */
static int rusage_read_process(int pid, rusage_figures *figures, rusage_call *call)
{
    int error, is_new = figures->start == 0;
    HANDLE handle = rusage_open(pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, &error);

    if (error == ERROR_ACCESS_DENIED) {
        figures->state = RUSAGE_UNREAD;
        return is_new ? 0 : RUSAGE_NO_PROCESS;
    }
    if (handle == NULL)
        return error;
    if (GetProcessId(handle) != (DWORD)pid)
        error = RUSAGE_NO_PROCESS;
    else {
        error = rusage_read_usage(handle, figures, call);
        if (error == 0 && is_new)
            error = rusage_get_parent(handle, &figures->parent);
        if (is_new)
            rusage_read_name(handle, figures);
        /* Not GetExitCodeProcess(): a process may have ended with STILL_ACTIVE as its exit code. */
        figures->state =
            WaitForSingleObject(handle, 0) == WAIT_TIMEOUT ? RUSAGE_LIVES : RUSAGE_ZOMBIE;
        if (figures->state == RUSAGE_ZOMBIE)
            error = 0;  /* nothing else matters */
    }
    CloseHandle(handle);
    return error;
}

static int rusage_get(rusage_call *call)
{
    FILETIME created, exited, kernel, user;
    rusage_values values = {0};

    if (call->who != RUSAGE_THREAD)
        return rusage_get_process((intptr_t)GetCurrentProcess(), call);
    if (!GetThreadTimes(GetCurrentThread(), &created, &exited, &kernel, &user))
        return (int)GetLastError();
    values.utime = rusage_number_of(user);
    values.stime = rusage_number_of(kernel);
    rusage_convert_values(&values, RUSAGE_FILETIMES, call);
    return 0;
}

/* --- Trees --- */

static int rusage_pause(void)
{
    return 0;
}

/* No other process gets the number while the handle is open. */
static int rusage_member_signal(rusage_tree *tree, rusage_member *member, int number)
{
    int error, lives;
    HANDLE handle = rusage_open(member->pid, PROCESS_TERMINATE, &error);

    if (handle == NULL)
        return error;
    error = rusage_member_lives(tree, member, &lives);
    if (error == 0 && !lives)
        error = RUSAGE_NO_PROCESS;
    else if (error == 0 && !TerminateProcess(handle, (UINT)number)) {
        error = (int)GetLastError();
        if (rusage_member_lives(tree, member, &lives) == 0 && !lives)
            error = RUSAGE_NO_PROCESS;
    }
    CloseHandle(handle);
    return error;
}

static int rusage_tree_now(int64_t *now)
{
    FILETIME time;

    GetSystemTimeAsFileTime(&time);
    *now = rusage_number_of(time);
    return 0;
}

static int rusage_generation(void)
{
    return 1;
}

static int rusage_exchange(int *number, int expected, int value)
{
    return InterlockedCompareExchange((volatile LONG *)number, value, expected) == expected;
}

static int rusage_tree_list(rusage_tree *tree)
{
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = {.dwSize = sizeof entry};
    int error = 0;
    BOOL more;

    if (list == INVALID_HANDLE_VALUE)
        return (int)GetLastError();
    for (more = Process32First(list, &entry); more && error == 0;
         more = Process32Next(list, &entry))
        error =
            rusage_tree_add_listed(tree, (int)entry.th32ProcessID, (int)entry.th32ParentProcessID);
    CloseHandle(list);
    return error;
}
