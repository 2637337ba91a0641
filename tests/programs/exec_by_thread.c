/* Let a thread other than the first one execute this program again, as often as the argument
   says. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *execute(void *times)
{
    char left[20];

    snprintf(left, sizeof left, "%d", atoi(times) - 1);
    execl("/proc/self/exe", "exec_by_thread", left, (char *)NULL);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    usleep(500);
    if (argc > 1 && atoi(argv[1]) > 0)
        pthread_create(&thread, NULL, execute, argv[1]);
    pause();
    return 0;
}
