/* For tests/tools/faults.py: compiled in front of the extension's C, whose calls it replaces. One
   call that was chosen fails once; the calls of Python and of the C library are not touched. */

#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* All headers that declare what is replaced below. */
#include <Python.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* The call that fails: the n-th one of a name, from 0, and perhaps all later ones. Calls of another
   name always fail. */
static char faults_name[32], faults_refused[32];
static int faults_before, faults_error, faults_last;
static int faults_has_failed;
/* The names of the calls so far, while they are recorded. */
static char faults_calls[1 << 16];
static size_t faults_length;
static int faults_are_recorded;
/* Descriptors that have not been closed, and blocks of memory that have not been freed. */
int faults_files, faults_blocks;

void faults_begin(const char *name, int before, int error, int last)
{
    faults_before = before;
    faults_error = error;
    faults_last = last;
    faults_has_failed = 0;
    strcpy(faults_name, name);
}

/* Return whether the call has failed. */
int faults_end(void)
{
    faults_name[0] = '\0';
    return faults_has_failed;
}

/* From now on, all calls of this name fail with ENOENT. */
void faults_refuse(const char *name)
{
    strcpy(faults_refused, name);
}

void faults_record(void)
{
    faults_are_recorded = 1;
    faults_length = 0;
    faults_calls[0] = '\0';
}

/* Return the names, each one with a space behind it. */
const char *faults_recorded(void)
{
    faults_are_recorded = 0;
    return faults_calls;
}

/* Return whether a call of this name is to fail, with errno set. */
static int faults_fails(const char *name)
{
    if (faults_are_recorded && faults_length + strlen(name) + 2 < sizeof faults_calls) {
        strcat(strcpy(faults_calls + faults_length, name), " ");
        faults_length += strlen(name) + 1;
    }
    if (strcmp(faults_refused, name) == 0) {
        errno = ENOENT;
        return 1;
    }
    if (strcmp(faults_name, name) != 0 || faults_before-- > 0)
        return 0;
    if (!faults_last)
        faults_name[0] = '\0';
    faults_has_failed = 1;
    errno = faults_error;
    return 1;
}

static int faults_opened(int fd)
{
    faults_files += fd >= 0;
    return fd;
}

static long faults_called(long number, long result)
{
    return number == 434 /* pidfd_open */ ? faults_opened((int)result) : result;
}

static DIR *faults_opened_folder(DIR *folder)
{
    faults_files += folder != NULL;
    return folder;
}

static void *faults_allocated(void *block)
{
    faults_blocks += block != NULL;
    return block;
}

static void faults_free(void *block)
{
    faults_blocks -= block != NULL;
    free(block);
}

static void *faults_realloc(void *block, size_t size)
{
    return block == NULL ? faults_allocated(malloc(size)) : realloc(block, size);
}

/* Never a group of processes, or all of them. */
static int faults_kill(pid_t pid, int number)
{
    if (pid <= 0)
        abort();
    return kill(pid, number);
}

#define FAULTS_OR(name, failed, call) (faults_fails(name) ? (failed) : (call))
#define open(...) FAULTS_OR("open", -1, faults_opened(open(__VA_ARGS__)))
#define openat(...) FAULTS_OR("openat", -1, faults_opened(openat(__VA_ARGS__)))
#define opendir(...) FAULTS_OR("opendir", NULL, faults_opened_folder(opendir(__VA_ARGS__)))
#define fdopendir(...) FAULTS_OR("fdopendir", NULL, fdopendir(__VA_ARGS__))
#define closedir(folder) (faults_files--, closedir(folder))
#define close(fd) (faults_files--, close(fd))
#define readdir(...) FAULTS_OR("readdir", NULL, readdir(__VA_ARGS__))
#define readlink(...) FAULTS_OR("readlink", -1, readlink(__VA_ARGS__))
#define read(...) FAULTS_OR("read", -1, read(__VA_ARGS__))
#define pread(...) FAULTS_OR("pread", -1, pread(__VA_ARGS__))
#define write(...) FAULTS_OR("write", -1, write(__VA_ARGS__))
#define access(...) FAULTS_OR("access", -1, access(__VA_ARGS__))
#define stat(...) FAULTS_OR("stat", -1, stat(__VA_ARGS__))
#define fstat(...) FAULTS_OR("fstat", -1, fstat(__VA_ARGS__))
#define statfs(...) FAULTS_OR("statfs", -1, statfs(__VA_ARGS__))
#define fstatfs(...) FAULTS_OR("fstatfs", -1, fstatfs(__VA_ARGS__))
#define poll(...) FAULTS_OR("poll", -1, poll(__VA_ARGS__))
#define kill(...) FAULTS_OR("kill", -1, faults_kill(__VA_ARGS__))
#define getrlimit(...) FAULTS_OR("getrlimit", -1, getrlimit(__VA_ARGS__))
#define getrusage(...) FAULTS_OR("getrusage", -1, getrusage(__VA_ARGS__))
/* Of a process, whose clock has a negative number; no other clock fails. */
#define clock_gettime(clock, time) \
    FAULTS_OR((clock) < 0 ? "clock_gettime" : "clock", -1, clock_gettime(clock, time))
/* By the name of its number, such as SYS_kcmp. */
#define syscall(number, ...) \
    FAULTS_OR(#number, -1, faults_called(number, syscall(number, __VA_ARGS__)))
#define malloc(...) FAULTS_OR("malloc", NULL, faults_allocated(malloc(__VA_ARGS__)))
#define calloc(...) FAULTS_OR("calloc", NULL, faults_allocated(calloc(__VA_ARGS__)))
#define realloc(...) FAULTS_OR("realloc", NULL, faults_realloc(__VA_ARGS__))
#define free(block) faults_free(block)
