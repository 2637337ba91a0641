/* Linux: ru_maxrss falls when the kernel splits huge pages of a private mapping of a file. Run this
   in a folder on ext4, or on tmpfs with huge=always. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static char block[2 << 20];

static void print_peak(const char *when)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: ru_maxrss %ld MiB\n", when, usage.ru_maxrss / 1024);
}

int main(void)
{
    size_t size = 100 * sizeof block, at;
    int file = open("file", O_RDWR | O_CREAT, 0600);
    for (at = 0; at < size; at += sizeof block)
        if (write(file, block, sizeof block) < 0 || fsync(file))
            return 1;
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    volatile char *view = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    madvise((void *)view, size, MADV_HUGEPAGE);
    for (at = 0; at < size; at += 4096)
        (void)view[at];
    print_peak("200 MiB were read");
    for (at = 0; at < size; at += sizeof block)
        view[at] = 1;
    print_peak("each huge page was written to");
}
