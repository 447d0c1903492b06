"""Numbers of the system calls that the filter names, for x86_64 and for aarch64."""

import platform
from collections.abc import Mapping

# name:x86_64:aarch64, from the kernel's headers; those after 423 have one number everywhere.
_TABLE = """
access:21:-  add_key:248:217  arch_prctl:158:-  bpf:321:280  brk:12:214  capget:125:90
capset:126:91  chdir:80:49  chmod:90:-  chroot:161:51  clock_getres:229:114
clock_gettime:228:113  clock_nanosleep:230:115  clone:56:220  clone3:435:435  close:3:57
close_range:436:436  connect:42:203  copy_file_range:326:285  creat:85:-  dup:32:23  dup2:33:-
dup3:292:24  epoll_create:213:-  epoll_create1:291:20  epoll_ctl:233:21  epoll_pwait:281:22
epoll_pwait2:441:441  epoll_wait:232:-  eventfd:284:-  eventfd2:290:19  execve:59:221
execveat:322:281  exit:60:93  exit_group:231:94  faccessat:269:48  faccessat2:439:439
fadvise64:221:223  fallocate:285:47  fchdir:81:50  fchmod:91:52  fchmodat:268:53  fcntl:72:25
fdatasync:75:83  flock:73:32  fork:57:-  fstat:5:80  fstatfs:138:44  fsync:74:82
ftruncate:77:46  futex:202:98  futex_requeue:456:456  futex_wait:455:455  futex_waitv:449:449
futex_wake:454:454  get_mempolicy:239:236  get_robust_list:274:100  getcpu:309:168  getcwd:79:17
getdents:78:-  getdents64:217:61  getegid:108:177  geteuid:107:175  getgid:104:176
getgroups:115:158  getitimer:36:102  getpgid:121:155  getpgrp:111:-  getpid:39:172
getppid:110:173  getpriority:140:141  getrandom:318:278  getresgid:120:150  getresuid:118:148
getrlimit:97:163  getrusage:98:165  getsid:124:156  gettid:186:178  gettimeofday:96:169
getuid:102:174  init_module:175:105  io_uring_setup:425:425  ioctl:16:29  kexec_load:246:104
keyctl:250:219  kill:62:129  landlock_add_rule:445:445  landlock_create_ruleset:444:444
landlock_restrict_self:446:446  link:86:-  lseek:8:62  lstat:6:-  madvise:28:233
membarrier:324:283  memfd_create:319:279  mincore:27:232  mkdir:83:-  mkdirat:258:34
mlock:149:228  mlock2:325:284  mmap:9:222  mount:165:40  mprotect:10:226  mq_open:240:180
mremap:25:216  msgget:68:186  msync:26:227  munlock:150:229  munmap:11:215
name_to_handle_at:303:264  nanosleep:35:101  newfstatat:262:79  open:2:-
open_by_handle_at:304:265  openat:257:56  openat2:437:437  perf_event_open:298:241
personality:135:92  pidfd_getfd:438:438  pidfd_open:434:434  pipe:22:-  pipe2:293:59  poll:7:-
ppoll:271:73  prctl:157:167  pread64:17:67  preadv:295:69  preadv2:327:286  prlimit64:302:261
process_vm_readv:310:270  process_vm_writev:311:271  pselect6:270:72  ptrace:101:117
pwrite64:18:68  pwritev:296:70  pwritev2:328:287  read:0:63  readahead:187:213  readlink:89:-
readlinkat:267:78  readv:19:65  reboot:169:142  rename:82:-  renameat:264:38  renameat2:316:276
restart_syscall:219:128  rmdir:84:-  rseq:334:293  rt_sigaction:13:134  rt_sigpending:127:136
rt_sigprocmask:14:135  rt_sigqueueinfo:129:138  rt_sigreturn:15:139  rt_sigsuspend:130:133
rt_sigtimedwait:128:137  sched_get_priority_max:146:125  sched_get_priority_min:147:126
sched_getaffinity:204:123  sched_getparam:143:121  sched_getscheduler:145:120
sched_setaffinity:203:122  sched_setscheduler:144:119  sched_yield:24:124  seccomp:317:277
select:23:-  sendfile:40:71  set_robust_list:273:99  set_tid_address:218:96  setitimer:38:103
setns:308:268  setpriority:141:140  setrlimit:160:164  setuid:105:146  setxattr:188:5
shmget:29:194  sigaltstack:131:132  socket:41:198  socketpair:53:199  stat:4:-  statfs:137:43
statx:332:291  swapon:167:224  symlink:88:-  sysinfo:99:179  tgkill:234:131
timer_create:222:107  timer_delete:226:111  timer_gettime:224:108  timer_settime:223:110
times:100:153  tkill:200:130  umask:95:166  uname:63:160  unlink:87:-  unlinkat:263:35
unshare:272:97  userfaultfd:323:282  utimensat:280:88  vfork:58:-  write:1:64  writev:20:66
"""
NEWEST = 456  # what is numbered higher came after this table: a libc knows how to do without


def numbers(machine: str | None = None) -> Mapping[str, int]:
    """Return the numbers by name on a machine (unset: this one); empty if it is not known."""
    column = {"x86_64": 1, "amd64": 1, "aarch64": 2, "arm64": 2}.get(
        (machine or platform.machine()).lower()
    )
    if column is None:
        return {}
    rows = (row.split(":") for row in _TABLE.split())
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
