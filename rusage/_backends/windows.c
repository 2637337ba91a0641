/* Windows. */

#include "../_c/rusage.h"

#include <winsock2.h> /* struct timeval */
#include <windows.h>
#include <psapi.h>

/* Allows the backends of other systems to be tested here. */
#define RUSAGE_NATIVE_TIME(name) struct timeval ru_##name;
#define RUSAGE_NATIVE_LONG(name) long ru_##name;
struct rusage {
    RUSAGE_FIELDS(RUSAGE_NATIVE_TIME, RUSAGE_NATIVE_LONG, RUSAGE_NATIVE_LONG, RUSAGE_NATIVE_LONG)
};

RUSAGE_ASSERT(tv, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(long)
                      && RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(long));

RUSAGE_ASSERT(half, sizeof(((FILETIME *)0)->dwLowDateTime) == sizeof(uint32_t)
                        && sizeof(((FILETIME *)0)->dwHighDateTime) == sizeof(uint32_t));
RUSAGE_ASSERT(faults, sizeof(((PROCESS_MEMORY_COUNTERS *)0)->PageFaultCount) == sizeof(uint32_t));
RUSAGE_ASSERT(peak, sizeof(((PROCESS_MEMORY_COUNTERS *)0)->PeakWorkingSetSize) <= sizeof(uint64_t));

#include "../_c/convert.c"

/* GetLastError has no code for this; the bit is reserved for codes of applications. */
#define RUSAGE_NO_PROCESS (1 << 29)
#include "../_c/process_scalars.c"
#include "../_c/rss.h"

enum { RUSAGE_SELF = 0, RUSAGE_THREAD = 1 };

static void rusage_set_times(rusage_windows *native, FILETIME kernel, FILETIME user)
{
    native->user_low = user.dwLowDateTime;
    native->user_high = user.dwHighDateTime;
    native->kernel_low = kernel.dwLowDateTime;
    native->kernel_high = kernel.dwHighDateTime;
}

static int rusage_get_process(intptr_t handle, rusage_call *call)
{
    HANDLE process = (HANDLE)handle;
    FILETIME created, exited, kernel, user;
    PROCESS_MEMORY_COUNTERS memory;
    rusage_windows native;

    if (!GetProcessTimes(process, &created, &exited, &kernel, &user)
        || !K32GetProcessMemoryInfo(process, &memory, sizeof memory))
        return (int)GetLastError();
    rusage_set_times(&native, kernel, user);
    native.peak_working_set = memory.PeakWorkingSetSize;
    native.page_faults = memory.PageFaultCount;
    rusage_convert_windows(&native, call);
    return 0;
}

static int64_t rusage_rss_of(HANDLE process)
{
    PROCESS_MEMORY_COUNTERS memory;

    if (!K32GetProcessMemoryInfo(process, &memory, sizeof memory))
        return -(int64_t)GetLastError();
    return (int64_t)memory.WorkingSetSize;
}

static int64_t rusage_rss(void)
{
    return rusage_rss_of(GetCurrentProcess());
}

/* Return 0 while the process runs. */
static int rusage_check_running(const rusage_process *process)
{
    /* Not GetExitCodeProcess(): a process may have ended with STILL_ACTIVE as its exit code. */
    switch (WaitForSingleObject((HANDLE)process->handle, 0)) {
    case WAIT_TIMEOUT:
        return 0;
    case WAIT_OBJECT_0:
        return RUSAGE_NO_PROCESS;
    default:
        return (int)GetLastError();
    }
}

static int rusage_process_get(const rusage_process *process, rusage_call *call)
{
    int error = rusage_get_process(process->handle, call);

    return error != 0 ? error : rusage_check_running(process);
}

static int64_t rusage_process_rss(const rusage_process *process, const rusage_call *call)
{
    int64_t size = rusage_rss_of((HANDLE)process->handle);
    int error = size < 0 ? 0 : rusage_check_running(process);

    (void)call;
    return error != 0 ? -(int64_t)error : size;
}

static void rusage_process_close(rusage_process *process)
{
    if (process->is_open) {
        process->is_open = 0;
        CloseHandle((HANDLE)process->handle);
    }
}

static int rusage_process_open(rusage_process *process, int pid, rusage_call *call)
{
    HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid);
    int error;

    if (handle == NULL) {
        error = (int)GetLastError();
        return error == ERROR_INVALID_PARAMETER ? RUSAGE_NO_PROCESS : error;
    }
    process->pid = pid;
    process->measured = UINT32_MAX;
    process->handle = (intptr_t)handle;
    process->is_open = 1;
    /* OpenProcess() ignores the two lowest bits, which process IDs do not use. */
    error = GetProcessId(handle) == (DWORD)pid ? rusage_process_get(process, call) : RUSAGE_NO_PROCESS;
    if (error != 0)
        rusage_process_close(process);
    return error;
}

static int rusage_get_thread(rusage_call *call)
{
    FILETIME created, exited, kernel, user;
    rusage_windows native;

    if (!GetThreadTimes(GetCurrentThread(), &created, &exited, &kernel, &user))
        return (int)GetLastError();
    memset(&native, 0, sizeof native);
    rusage_set_times(&native, kernel, user);
    rusage_convert_windows(&native, call);
    return 0;
}

static int rusage_get(rusage_call *call)
{
    if (call->who == RUSAGE_THREAD)
        return rusage_get_thread(call);
    return rusage_get_process((intptr_t)GetCurrentProcess(), call);
}

static int64_t rusage_pagesize(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;     /* not dwAllocationGranularity */
}

#include "windows_tree.c"
