/* Linux. */

#include "../_c/unix.c"
#include "../_c/getrusage.c"
#include "../_c/wait4.c"
#include "../_c/no_statclock.c"

RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);

#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Return whether a signal is ignored. PyPy's signal.getsignal() does not report inherited dispositions. */
static int rusage_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Return whether all permitted capabilities are also ambient, that is, kept when an unprivileged program is executed.
   Headers older than Linux 4.3 lack the constants for ambient capabilities (linux/prctl.h). */
static int rusage_keeps_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint64_t permitted;
    int capability;

    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    for (capability = 0; capability < 64; capability++)
        if (permitted >> capability & 1
            && prctl(47 /* PR_CAP_AMBIENT */, 1 /* PR_CAP_AMBIENT_IS_SET */, (unsigned long)capability, 0, 0) != 1)
            return 0;
    return 1;
}

/* Return whether a program executed by this process is as well protected from other processes as this process. The
   launcher handles trusted data, so a process that may not trace this one must not be able to trace the launcher
   (ptrace(2), "Ptrace access mode checking"). */
static int rusage_may_launch(void)
{
    uid_t user, effective_user, saved_user;
    gid_t group, effective_group, saved_group;

    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 && getresuid(&user, &effective_user, &saved_user) == 0
           && user == effective_user && user == saved_user && getresgid(&group, &effective_group, &saved_group) == 0
           && group == effective_group && group == saved_group && (user == 0 || rusage_keeps_capabilities());
}
