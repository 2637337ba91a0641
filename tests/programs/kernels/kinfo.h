/* What the made-up kernels of NetBSD and OpenBSD share: KINFO is the structure of their records,
   and RECORDS the number by which sysctl(3) is asked for them. */

/* Fill a record with what both have; return 0 if the rest of it is missing too. */
static inline int fill_known(struct KINFO *record, int pid, int64_t started)
{
    memset(record, 0, sizeof *record);
    record->p_pid = pid_of(pid);
    record->p_ppid = (int)made.parent;
    copy_name(record->p_comm, sizeof record->p_comm);
    if (made.zombie || kernel.busy-- > 0)
        return 0;
    record->p_uvalid = 1;
    record->p_flag = made.vforked ? P_PPWAIT : 0;
    record->p_vm_rssize = (int32_t)made.rss;
    record->p_ustart_sec = (uint32_t)(started / 1000000);
    record->p_ustart_usec = (uint32_t)(started % 1000000);
    record->p_uutime_sec = (uint32_t)(made.time / 1000000);
    record->p_uutime_usec = (uint32_t)(made.time % 1000000);
    record->p_uctime_sec = (uint32_t)(made.waited / 1000000);
    record->p_uctime_usec = (uint32_t)(made.waited % 1000000);
    record->p_ustime_usec = 500001;
    record->p_uru_maxrss = 4242;
    return 1;
}

static inline void fill(void *to, int pid);

static inline int sysctl(const int *name, unsigned count, void *old, size_t *size, const void *new,
                         size_t new_size)
{
    struct KINFO record;

    if (name[0] != CTL_KERN || new || new_size)
        abort();
    if (count == 2 && name[1] == KERN_BOOTTIME)
        return copy_boottime(old, size);
    if (count == 2 && name[1] == KERN_CLOCKRATE)
        return copy_clockrate(old, size);
    if (count != 6 || name[1] != RECORDS || name[4] != (int)sizeof record)
        abort();
    if (name[2] == KERN_PROC_ALL && name[5] > 256)
        return copy_list(old, size, sizeof record, fill);
    if (name[2] != KERN_PROC_PID || name[5] != 1)
        abort();
    return copy_process(name[3], old, size, &record, sizeof record, fill);
}
