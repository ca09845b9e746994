// What a program looks at inside a container, and what it reports as an object.

/** Sections of lines, by name. */
export type Observation = Record<string, string[]>;

/**
 * For `/bin/sh -c`; prints sections. Of itself it looks at the process that the runtime started,
 * which the shell stays; it needs busybox in /bin and reads /proc where there is one.
 *
 * @param ending the last commands: how the program ends
 */
export const probeScript = (ending: string): string => `
umask_then=$(umask); path_then=$PATH; PATH=/bin
section() { echo "=== $1"; }
self=/proc/$$
# A pid only counts where the program sees itself.
[ -e $self/status ] || self=/proc/self
section status; grep -E '^(Uid|Gid|Groups|Cap[A-Z][a-z]+|NoNewPrivs|Seccomp|Umask|Sig(Blk|Ign|Cgt)|ShdPnd|Cpus_allowed_list|Mems_allowed_list|THP_enabled|Threads):' $self/status; echo "umask $umask_then"
section limits; cat $self/limits
section cgroup; sort $self/cgroup
section ns; for n in $self/ns/*; do echo "\${n##*/} $(readlink $n)"; done
section process; set -- $(cut -d')' -f2 $self/stat); echo "pgrp $3 session $4 tty $5 priority \${16} nice \${17}"; shift 30; echo "rt \${8} policy \${9}"; cat $self/oom_score_adj $self/personality $self/timerslack_ns $self/coredump_filter $self/loginuid $self/timens_offsets $self/uid_map $self/gid_map $self/setgroups $self/attr/current 2>&1; echo; ionice
section environ; tr '\\0' '\\n' < $self/environ
section cmdline; tr '\\0' '\\n' < $self/cmdline | head -2
section fds; for f in $self/fd/*; do echo "\${f##*/} $(readlink $f) $(grep flags $self/fdinfo/\${f##*/} 2>&1)"; done
section cwd; pwd; readlink $self/cwd; readlink $self/root; stat -c '%F %a %u:%g' .
section names; hostname; cat /proc/sys/kernel/domainname
section network; ip -o addr; ip route; cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_default_ttl
section sysctls; for s in kernel/shmmax kernel/shmall kernel/shmmni kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/shm_rmid_forced fs/mqueue/msg_max fs/mqueue/queues_max; do echo "$s $(cat /proc/sys/$s 2>&1)"; done
section devices; find /dev ! -path '/dev/pts/[0-9]*' | sort | while read f; do stat -c '%n %F %a %u:%g %t:%T' "$f"; [ -L "$f" ] && readlink "$f"; done
section opened; for f in null zero full random urandom tty kmsg fuse net/tun; do [ -e /dev/$f ] && { head -c1 /dev/$f | wc -c; echo > /dev/$f; } 2>&1 | sed "s|^|$f |"; done
section paths; for f in / /bin /data /proc /sys /tmp /etc /etc/* /home /home/* /dev/shm /dev/mqueue /dev/pts /sys/fs/cgroup /data/* /made* /proc/sys /proc/kcore /proc/acpi /proc/keys /proc/timer_list /proc/irq /proc/bus /sys/firmware; do [ -e "$f" ] && stat -c '%n %F %a %u:%g' "$f"; done
section read; for f in /proc/kcore /proc/keys /proc/timer_list /proc/latency_stats /proc/sched_debug /data/file; do [ -e $f ] && echo "$f $(head -c1 $f 2>&1 | wc -c)"; done; ls -A /proc/acpi /proc/scsi /sys/firmware /data 2>&1
section write; for f in / /dev /dev/shm /tmp /data /data/* /proc/sys/kernel /sys /proc/irq; do [ -d $f ] && { touch $f/x-probe 2>&1 && rm $f/x-probe && echo "$f written"; }; done; for f in /proc/sys/kernel/shmmax /proc/sysrq-trigger /proc/self/oom_score_adj; do true 2>&1 >> $f && echo "$f opened"; done
section rights; chroot / true 2>&1; mknod /tmp/x-null c 1 3 2>&1 && rm /tmp/x-null; mknod /dev/shm/x-null c 1 3 2>&1 && { : > /dev/shm/x-null; rm /dev/shm/x-null; } 2>&1; chown 1:1 /dev/shm 2>&1; nice -n -5 true 2>&1; mkdir /tmp/x-dir 2>&1 && rmdir /tmp/x-dir; ping -c1 -w1 127.0.0.1 >&- 2>&-; echo ping $?; unshare -U true 2>&1
section resources; for c in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness memory/memory.oom_control pids/pids.max cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus cpuset/cpuset.mems blkio/blkio.weight blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_bps_device blkio/blkio.throttle.read_iops_device blkio/blkio.throttle.write_iops_device freezer/freezer.state; do [ -e /sys/fs/cgroup/$c ] && sed "s|^|$c |" /sys/fs/cgroup/$c; done; sort /sys/fs/cgroup/devices/devices.list 2>&1
section mountinfo; cat $self/mountinfo
section last
${ending}
`;

/** @returns undefined for output that the probe did not make: the program never ran */
export function parseProbe(output: string): Observation | undefined {
  if (!output.startsWith('=== status\n')) return undefined;
  const observation: Observation = {};
  for (const part of output.split(/^=== /m).slice(1)) {
    const [name = '', ...lines] = part.trimEnd().split('\n');
    observation[name] = lines;
  }
  return observation;
}
