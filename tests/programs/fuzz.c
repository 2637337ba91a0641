/* What clang's libFuzzer calls with any bytes: the parsers in C. -DTARGET=fuzz_NAME is one of
   the functions below; for kinfo, with -DKERNEL='"NAME.h"' -DBACKEND='"PATH/NAME.c"' of a made-up
   kernel whose records the bytes change. */

#define _GNU_SOURCE

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *data;
static size_t left;

#ifdef KERNEL

#include KERNEL

/* Change the records of processes, which are asked for by more than two numbers. */
static int changed_sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                          size_t new_size)
{
    int result = sysctl(name, count, old, size, new, new_size);
    size_t i;

    for (i = 0; result == 0 && old != NULL && count > 2 && i < *size && i < left; i++)
        ((uint8_t *)old)[i] ^= data[i];
    return result;
}
#define sysctl changed_sysctl
#include BACKEND
#undef kill

static void happen(void)
{
}

static void fuzz_kinfo(void)
{
    rusage_figures figures = {0};
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1024};

    rusage_read_process(7, &figures, &call);
}

#else

#include <fcntl.h>
#include <unistd.h>

/* A file with the bytes, in pieces. */
static int made_open(void)
{
    return 99;
}

static ssize_t made_read(void *text, size_t size)
{
    size = size > 1000 ? 1000 : size;
    size = size > left ? left : size;
    memcpy(text, data, size);
    data += size;
    left -= size;
    return (ssize_t)size;
}

#define main launcher_main
#include "rusage/_launcher/launcher.c"
#define openat(directory, path, flags) made_open()
#define read(fd, text, size) made_read(text, size)
#define close(fd) 0
#include "rusage/_backends/linux/proc.h"
#include "rusage/_c/convert.c"

static int64_t total; /* of the numbers, as a tree adds them */

static void fuzz_stat(void)
{
    rusage_stat found;
    rusage_values values = {0};
    rusage_call call = {.measured = UINT32_MAX, .maxrss_bytes = 1024};

    if (rusage_read_stat(99, &found) != 0)
        return;
    rusage_has_ended(&found);
    rusage_stat_seconds(&found, STAT_UTIME, STAT_STIME);
    rusage_stat_seconds(&found, STAT_WAITED_UTIME, STAT_WAITED_STIME);
    values.utime = found.field[STAT_UTIME];
    values.minflt = found.field[STAT_MINFLT];
    rusage_convert_values(&values, 100, &call);
}

static void size_of(const char *start)
{
    int64_t size = 0;

    if (rusage_read_number(99, "", start, &size) == 0) {
        if (size < 0)
            abort(); /* it would be an errno */
        total = size * 1024 + size * 1024;
    }
}

static void fuzz_status(void)
{
    size_of("\nVmHWM:");
}

static void fuzz_smaps_rollup(void)
{
    size_of("\nPss:");
}

static void fuzz_statm(void)
{
    int64_t pages = 0;

    if (rusage_read_statm(99, "", &pages) == 0) {
        if (pages < 0)
            abort();
        total = pages * 65536 + pages * 65536;
    }
}

/* Without a directory and a program, so that the launcher ends when it has read its numbers. */
static void fuzz_launcher(void)
{
    char text[4096], *arguments[] = {text, text, text, NULL};

    text[left < sizeof text ? left : sizeof text - 1] = '\0';
    memcpy(text, data, left < sizeof text ? left : sizeof text - 1);
    if (run(3, arguments, NULL) != LAUNCHER_REFUSED)
        abort();
}

#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    data = bytes;
    left = size;
    TARGET();
    return 0;
}
