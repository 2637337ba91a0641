/* Linux: the proportional set size, in which a page that n processes share counts as an nth of its size. */

#include "linux_process.c"

/* Return the size of this process in bytes, or a negative errno. */
static int64_t rusage_pss(void)
{
    int64_t size = 0;
    int directory = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), error;

    if (directory < 0)
        return -errno;
    error = rusage_read_pss(directory, &size);
    close(directory);
    return error != 0 ? -error : size;
}

/* The same for another process. A thread of the kernel has no memory. */
static int64_t rusage_process_pss(const rusage_process *process)
{
    int64_t size = 0, end = 0;
    int error, ended;

    do {
        error = rusage_read_pss(process->directory, &size);
        if (error == 0 || error == ESRCH || error == ENODATA) {
            ended = rusage_check_alive(process);
            error = ended != 0 ? ended : error == 0 ? 0 : ENODATA;
        }
    } while ((process->measured >> RUSAGE_INDEX_maxrss & 1) && rusage_try_again(process, error, &end));
    if (error == ENODATA && !(process->measured >> RUSAGE_INDEX_maxrss & 1))
        return 0;
    return error != 0 ? -rusage_reported(error) : size;
}
