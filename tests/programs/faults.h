/* For tests/tools/faults.py: compiled in front of the extension's C, or of the launcher's, whose
   calls it replaces. One call that was chosen fails once; the calls of Python and of the C library
   are not touched. */

#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#ifdef FAULTS_OF_LAUNCHER
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* FAULT is the number of the call that fails, from 0, the error, and a file to be removed then;
   with a negative error, a signal kills the launcher, or its child, which counts on. */
static int faults_fails(void)
{
    static int calls;
    const char *fault = getenv("FAULT");
    int number, error, at;

    if (fault == NULL || sscanf(fault, "%d %d %n", &number, &error, &at) != 2 || calls++ != number)
        return 0;
    unlink(fault + at);
    if (error < 0)
        kill(getpid(), -error);
    errno = error;
    return 1;
}

#define syscall(...) (faults_fails() ? -1 : syscall(__VA_ARGS__))
#define mmap(...) (faults_fails() ? MAP_FAILED : mmap(__VA_ARGS__))
#define stat(...) (faults_fails() ? -1 : stat(__VA_ARGS__))
#else

/* All headers that declare what is replaced below. */
#include <Python.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The call that fails: the n-th one of a name, from 0, and perhaps all later ones. Calls of another
   name always fail. */
static char faults_name[32], faults_refused[32];
static int faults_before, faults_error, faults_last;
static int faults_calls_allowed = -1; /* all later ones fail, of any name; negative: none */
static int faults_has_failed;
/* The names of the calls so far, while they are recorded. */
static char faults_calls[1 << 16];
static size_t faults_length;
static int faults_are_recorded;
/* What happens before a call: before the n-th one, from 1. */
static void (*faults_happening)(void);
static int faults_calls_left;
/* Blocks of memory that have not been freed. */
int faults_blocks;

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

/* All calls but the first ones fail, of any name. */
void faults_allow(int calls, int error)
{
    faults_calls_allowed = calls;
    faults_error = error;
    faults_has_failed = 0;
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

void faults_happen(void (*happening)(void), int number)
{
    faults_happening = happening;
    faults_calls_left = number;
}

/* Return whether a call of this name is to fail, with errno set. */
static int faults_fails(const char *name)
{
    if (faults_calls_left > 0 && --faults_calls_left == 0)
        faults_happening();
    if (faults_are_recorded && faults_length + strlen(name) + 2 < sizeof faults_calls) {
        strcat(strcpy(faults_calls + faults_length, name), " ");
        faults_length += strlen(name) + 1;
    }
    if (faults_calls_allowed == 0) {
        faults_has_failed = 1;
        errno = faults_error;
        return 1;
    }
    faults_calls_allowed -= faults_calls_allowed > 0;
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

/* tools/faults.py adds those that return -1. */
#define FAULTS_OR(name, failed, call) (faults_fails(name) ? (failed) : (call))
#define opendir(...) FAULTS_OR("opendir", NULL, opendir(__VA_ARGS__))
#define fdopendir(...) FAULTS_OR("fdopendir", NULL, fdopendir(__VA_ARGS__))
#define readdir(...) FAULTS_OR("readdir", NULL, readdir(__VA_ARGS__))
#define kill(...) FAULTS_OR("kill", -1, faults_kill(__VA_ARGS__))
#define pthread_sigmask(...) FAULTS_OR("pthread_sigmask", errno, pthread_sigmask(__VA_ARGS__))
/* Of a process, whose clock has a negative number; no other clock fails. */
#define clock_gettime(clock, time) \
    FAULTS_OR((clock) < 0 ? "clock_gettime" : "clock", -1, clock_gettime(clock, time))
/* By the name of its number, such as SYS_kcmp. */
#define syscall(number, ...) FAULTS_OR(#number, -1, syscall(number, __VA_ARGS__))
#define malloc(...) FAULTS_OR("malloc", NULL, faults_allocated(malloc(__VA_ARGS__)))
#define calloc(...) FAULTS_OR("calloc", NULL, faults_allocated(calloc(__VA_ARGS__)))
#define realloc(...) FAULTS_OR("realloc", NULL, faults_realloc(__VA_ARGS__))
#define free(block) faults_free(block)
#endif
