/* In place of the headers and the kernel of Windows. Times since 1601 are the made-up kernel's, in
   units of 100 ns. */

#pragma once

#include "kernel.h"

#define _WIN32
#define WINAPI
#define TRUE 1
#define FALSE 0
#define INVALID_HANDLE_VALUE ((HANDLE) - 1)

typedef int BOOL, LONG;
typedef unsigned int DWORD, UINT, ULONG;
typedef uintptr_t ULONG_PTR;

static inline LONG InterlockedCompareExchange(volatile LONG *place, LONG value, LONG expected)
{
    LONG before = *place;

    if (before == expected)
        *place = value;
    return before;
}
typedef size_t SIZE_T;
typedef unsigned short WCHAR;
typedef void *HANDLE, *PVOID;
typedef int (*FARPROC)(void);
typedef struct {
    DWORD dwLowDateTime, dwHighDateTime;
} FILETIME;
typedef struct {
    DWORD PageFaultCount;
    SIZE_T PeakWorkingSetSize, WorkingSetSize;
} PROCESS_MEMORY_COUNTERS;
typedef struct {
    DWORD dwSize, th32ProcessID, th32ParentProcessID;
} PROCESSENTRY32;

enum {
    ERROR_ACCESS_DENIED = 5,
    ERROR_OUTOFMEMORY = 14,
    ERROR_GEN_FAILURE = 31,
    ERROR_INVALID_PARAMETER = 87
};
enum { PROCESS_TERMINATE = 1, PROCESS_QUERY_LIMITED_INFORMATION = 0x1000, SYNCHRONIZE = 0x100000 };
enum { WAIT_OBJECT_0 = 0, WAIT_TIMEOUT = 258, TH32CS_SNAPPROCESS = 2 };

static DWORD last_error;
static int open_handles;

/* Abort if a handle was not closed. */
static __attribute__((destructor)) void check_handles(void)
{
    if (open_handles != 0)
        abort();
}

static inline DWORD GetLastError(void)
{
    return last_error;
}

/* A handle is a copy of what the process was, also when another one has its number. */
static inline HANDLE OpenProcess(DWORD access, BOOL inherit, DWORD pid)
{
    made_process *handle;
    int found = use((int)pid) || use((int)pid & ~3); /* the two lowest bits are ignored */

    last_error = !found ? ERROR_INVALID_PARAMETER : made.denied ? ERROR_ACCESS_DENIED : 0;
    if (last_error != 0)
        return NULL;
    handle = malloc(sizeof *handle);
    *handle = made;
    open_handles++;
    return handle;
}

/* Use the numbers of the process of a handle, which may have ended. */
static inline void use_handle(HANDLE handle)
{
    const made_process *opened = handle;

    if (use(opened->pid) && made.start == opened->start)
        return;
    made = *opened;
    made.zombie = 1;
}

static inline BOOL CloseHandle(HANDLE handle)
{
    free(handle);
    open_handles--;
    return TRUE;
}

static inline DWORD GetProcessId(HANDLE handle)
{
    return (DWORD)((made_process *)handle)->pid;
}

static inline FILETIME filetime_of(int64_t microseconds)
{
    uint64_t units = (uint64_t)microseconds * 10;
    FILETIME time = {(DWORD)units, (DWORD)(units >> 32)};

    return time;
}

static inline BOOL GetProcessTimes(HANDLE handle, FILETIME *created, FILETIME *exited,
                                   FILETIME *system, FILETIME *user)
{
    use_handle(handle);
    *created = filetime_of(kernel.boot + made.start);
    *exited = filetime_of(0);
    *system = filetime_of(500001);
    *user = filetime_of(made.time);
    return TRUE;
}

static inline BOOL K32GetProcessMemoryInfo(HANDLE handle, PROCESS_MEMORY_COUNTERS *memory,
                                           DWORD size)
{
    if (handle != NULL)
        use_handle(handle);
    last_error = (DWORD)kernel.failure;
    if (kernel.failure != 0)
        return FALSE;
    memory->PageFaultCount = 31;
    memory->PeakWorkingSetSize = 4242;
    memory->WorkingSetSize = (SIZE_T)made.rss;
    return TRUE;
}

static inline DWORD WaitForSingleObject(HANDLE handle, DWORD milliseconds)
{
    use_handle(handle);
    return made.zombie ? WAIT_OBJECT_0 : WAIT_TIMEOUT;
}

enum { CP_UTF8 = 65001 };

/* The name is in Latin-1. */
static inline DWORD K32GetProcessImageFileNameW(HANDLE handle, WCHAR *path, DWORD size)
{
    static const char folder[] = "\\Device\\folder\\";
    DWORD i = 0;

    for (; i < sizeof folder - 1; i++)
        path[i] = (WCHAR)folder[i];
    for (; made_name[i - sizeof folder + 1] != '\0'; i++)
        path[i] = (unsigned char)made_name[i - sizeof folder + 1];
    return i;
}

static inline int WideCharToMultiByte(UINT to, DWORD flags, const WCHAR *text, int count,
                                      char *bytes, int size, void *no, void *none)
{
    int i, used = 0;

    for (i = 0; i < count; i++) {
        if (used + 1 + (text[i] >= 0x80) > size)
            return 0;
        if (text[i] >= 0x80)
            bytes[used++] = (char)(0xC0 | text[i] >> 6);
        bytes[used++] = (char)(text[i] < 0x80 ? text[i] : 0x80 | (text[i] & 0x3F));
    }
    return used;
}

static void end_process(int pid, int was_waited_for);

static inline BOOL TerminateProcess(HANDLE handle, UINT status)
{
    use_handle(handle);
    if (made.zombie) {
        last_error = ERROR_ACCESS_DENIED;
        return FALSE;
    }
    printf("%d %u ", (int)GetProcessId(handle), status);
    end_process((int)GetProcessId(handle), 0);
    return TRUE;
}

static int query_process(HANDLE handle, int information, void *record, ULONG size, ULONG *needed)
{
    use_handle(handle);
    memset(record, 0, size);
    ((ULONG_PTR *)record)[size / sizeof(ULONG_PTR) - 1] = (ULONG_PTR)made.parent;
    if (needed != NULL)
        *needed = size;
    return 0;
}

#define GetModuleHandleA(name) NULL
#define GetProcAddress(module, name) ((FARPROC)(void (*)(void))query_process)
#define GetCurrentProcess() NULL
#define GetCurrentThread() NULL
#define GetThreadTimes GetProcessTimes

static inline void GetSystemTimeAsFileTime(FILETIME *time)
{
    *time = filetime_of(kernel.boot + kernel.now);
}

/* A list, which does not change. */
static PROCESSENTRY32 made_list[256];
static int made_count, made_next;

static inline HANDLE CreateToolhelp32Snapshot(DWORD flags, DWORD pid)
{
    for (made_count = made_next = 0; made_count < processes_count; made_count++) {
        made_list[made_count].dwSize = sizeof made_list[made_count];
        made_list[made_count].th32ProcessID = (DWORD)processes[made_count].pid;
        made_list[made_count].th32ParentProcessID = (DWORD)processes[made_count].parent;
    }
    open_handles++;
    return malloc(1);
}

static inline BOOL Process32Next(HANDLE list, PROCESSENTRY32 *entry)
{
    if (entry->dwSize != sizeof *entry)
        abort();
    if (made_next == made_count)
        return FALSE;
    *entry = made_list[made_next++];
    return TRUE;
}

#define Process32First Process32Next
