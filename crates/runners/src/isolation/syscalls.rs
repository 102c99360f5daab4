//! seccomp: system calls that a function has no use for, and those through which one process of a user's could
//! reach another or its files, which Landlock does not cover.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, sock_filter,
};

/// What is refused with EPERM, whatever its arguments.
const REFUSED: &[i64] = &[
    // Looking into other processes and steering them.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // Leaving the process group, which is killed as a whole.
    libc::SYS_setpgid,
    libc::SYS_setsid,
    // Other name spaces and other roots.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    OPEN_TREE_ATTR,
    // The kernel's own matters.
    libc::SYS_acct,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    // What stays when the process has gone.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_request_key,
    // System V objects: of others' too, whose numbers /proc/sysvipc tells.
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
    // What it cannot open, but what is the same user's: content (Landlock knows of it from ABI 3 on), owners,
    // attributes.
    libc::SYS_truncate,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
    FILE_SETATTR,
    REMOVEXATTRAT,
    SETXATTRAT,
];

/// The same, where only this architecture has them.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_chown,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_lchown,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// What this kernel seems not to have, so that programs take the older way, which can be judged.
const ABSENT: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_openat2,
];

/// What succeeds and does nothing: modes and times of files. Landlock does not cover them, so a function could
/// open a key file to the machine's other users; refused, they would break every program that copies a file.
const IDLE: &[i64] = &[libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_utimensat, FCHMODAT2];
#[cfg(target_arch = "x86_64")]
const IDLE_HERE: &[i64] = &[libc::SYS_chmod, libc::SYS_futimesat, libc::SYS_utime, libc::SYS_utimes];
#[cfg(not(target_arch = "x86_64"))]
const IDLE_HERE: &[i64] = &[];

/// Installs the filter for this process and all it will start.
pub(super) fn filter(network: bool) -> Result<(), Error> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let by_argument = SeccompFilter::new(by_argument(network)?, SeccompAction::Allow, refused, architecture)?;
    let by_argument: BpfProgram = by_argument.try_into()?;
    // It begins by ending whoever calls by another architecture's numbers; the rest begins anew.
    let (architecture, by_argument) = by_argument.split_at(ARCHITECTURE.min(by_argument.len()));
    seccompiler::apply_filter(&[architecture, &by_number(), by_argument].concat())
}

/// Calls that are answered whatever their arguments, one comparison for each: the kernel runs through them for
/// every number there is when the filter is installed, which each start pays for.
fn by_number() -> BpfProgram {
    let answers = [libc::EPERM, libc::ENOSYS, 0];
    let calls = [[REFUSED, REFUSED_HERE].concat(), ABSENT.to_vec(), [IDLE, IDLE_HERE].concat()];
    let calls: Vec<_> = (0_u8..)
        .zip(calls)
        .flat_map(|(answer, calls)| calls.into_iter().map(move |call| (answer, call)))
        .collect();
    // From the comparison of that many calls before the end, over the jump behind the last one, to the answer.
    let to = |left: usize, answer: u8| u8::try_from(left).unwrap_or(u8::MAX).saturating_add(answer + 1);
    let mut program = vec![statement(LOAD, 0), jump(AT_LEAST, X32, to(calls.len(), 1))];
    for (at, (answer, call)) in calls.iter().enumerate() {
        let number = u32::try_from(*call).unwrap_or(u32::MAX);
        program.push(jump(EQUAL, number, to(calls.len() - at - 1, *answer)));
    }
    program.push(statement(OVER, 3));
    program.extend(answers.map(|error| statement(ANSWER, SECCOMP_RET_ERRNO | error.cast_unsigned())));
    program
}

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes on that many steps further when the comparison holds.
const fn jump(code: u16, k: u32, further: u8) -> sock_filter {
    sock_filter { code, jt: further, jf: 0, k }
}

type Rules = BTreeMap<i64, Vec<Rule>>;

/// Calls that are refused for some arguments; of several rules for one call each is enough.
fn by_argument(network: bool) -> Result<Rules, BackendError> {
    let another = |argument: u8| when(&[(argument, Is::Ne, 0)]);
    let spaces = SPACES.map(|flag| when(&[(0, Is::MaskedEq(flag), flag)]));
    let families = if network { FAMILIES } else { &[] };
    let other_family: Vec<_> =
        families.iter().map(|family| (0, Is::Ne, family.cast_unsigned().into())).collect();
    let other_family = if network { vec![when(&other_family)?] } else { Vec::new() };
    // Opened for reading and cut off all the same: Landlock takes it for reading before ABI 3.
    let cut_off = |flags: u8| {
        let mask = (libc::O_ACCMODE | libc::O_TRUNC).cast_unsigned().into();
        when(&[(flags, Is::MaskedEq(mask), libc::O_TRUNC.cast_unsigned().into())])
    };
    // Neither to read nor to write, which Landlock takes for asking nothing, and it cuts off as well.
    let neither = |flags: u8| {
        let mask = libc::O_ACCMODE.cast_unsigned().into();
        when(&[(flags, Is::MaskedEq(mask), mask)])
    };
    let datagram = |kind: i32| when(&[(1, Is::MaskedEq(0xf), kind.cast_unsigned().into())]);
    Ok(BTreeMap::from([
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, vec![cut_off(1)?, neither(1)?]),
        (libc::SYS_openat, vec![cut_off(2)?, neither(2)?]),
        // A lease on a file of the same user's has everybody else wait who opens it.
        (
            libc::SYS_fcntl,
            LEASES.map(|lease| when(&[(1, Is::Eq, lease)])).into_iter().collect::<Result<_, _>>()?,
        ),
        // What grows downwards is counted as stack, which a process has one of.
        (libc::SYS_mmap, vec![when(&[(3, Is::MaskedEq(GROWS_DOWN), GROWS_DOWN)])?]),
        (libc::SYS_clone, spaces.into_iter().collect::<Result<_, _>>()?),
        // Another process's limits, order of service and place, which need no more than the same user.
        (libc::SYS_prlimit64, vec![another(0)?]),
        (libc::SYS_sched_setaffinity, vec![another(0)?]),
        (libc::SYS_sched_setattr, vec![another(0)?]),
        (libc::SYS_sched_setparam, vec![another(0)?]),
        (libc::SYS_sched_setscheduler, vec![another(0)?]),
        (libc::SYS_setpriority, vec![another(0)?, another(1)?]),
        (libc::SYS_ioprio_set, vec![when(&[(0, Is::Ne, IOPRIO_WHO_PROCESS)])?, another(1)?]),
        // No Unix socket that could be connected to a path: the control door trusts its own user. A pair of
        // streams is connected for good, a datagram one is not.
        (libc::SYS_socket, other_family),
        (libc::SYS_socketpair, vec![datagram(libc::SOCK_DGRAM)?, datagram(libc::SOCK_RAW)?]),
    ]))
}

/// All conditions at once, each on the lower half of an argument: its number, the comparison, and with what.
fn when(conditions: &[(u8, Is, u64)]) -> Result<Rule, BackendError> {
    let condition =
        |(argument, is, value): &(u8, Is, u64)| Condition::new(*argument, Length::Dword, is.clone(), *value);
    Rule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)
}

/// The families of sockets that make the network; netlink tells the resolver which addresses there are.
const FAMILIES: &[i32] = &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Flags of clone that make new name spaces: mounts, control groups, names, messages, users, processes, network.
const SPACES: [u64; 7] =
    [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/// F_SETLEASE, and F_SETDELEG of later kernels.
const LEASES: [u64; 2] = [1024, 1040];

const GROWS_DOWN: u64 = libc::MAP_GROWSDOWN.cast_unsigned() as u64;

/// "This process" among those whose priority on the disk can be set.
const IOPRIO_WHO_PROCESS: u64 = 1;

// Younger than the list of numbers that we use; the same on every architecture.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;

/// The calls of x32 have numbers of their own from this one on, which the lists above do not know.
const X32: u32 = 0x4000_0000;

/// The steps with which seccompiler's programs begin: load the architecture, compare, kill.
const ARCHITECTURE: usize = 3;

// Steps of a filter: load the number of the call, compare, go on, answer.
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const OVER: u16 = 0x05;
const ANSWER: u16 = 0x06;
const SECCOMP_RET_ERRNO: u32 = 0x0005_0000;

// Jumps reach 255 steps at most.
const _: () = assert!(REFUSED.len() + REFUSED_HERE.len() + ABSENT.len() + IDLE.len() + IDLE_HERE.len() < 250);
