#pragma once

/* So that the rules of the other systems can be tested here too. */
struct rusage {
    struct timeval ru_utime, ru_stime;
    long ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock, ru_oublock, ru_msgsnd,
         ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};

RUSAGE_ASSERT(tv, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(long)
                  && RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(long));
