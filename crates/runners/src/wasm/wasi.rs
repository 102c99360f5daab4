//! WASI preview 1, as much as a function needs: arguments, standard streams, clock, random bytes, sleep.
//!
//! Written here and not taken from a library, so that there is nothing behind it that could open a file or a
//! socket. Whatever else a module asks for it is told that there is no such descriptor.

mod memory_view;
mod poll;

use std::time::{Duration, SystemTime};

use wasmi::errors::HostError;
use wasmi::{Caller, Error, Extern, ExternType, Linker, Module, Val, ValType};

use super::guest::Guest;
use memory_view::{Errno, MemoryView};

/// The name that all imports come from.
const WASI: &str = "wasi_snapshot_preview1";
/// Fuel of a call to the host, which takes about as long as so many instructions; what it does with the
/// module's memory comes on top.
const CALL: u64 = 200;
/// The most bytes that one call prints or draws at random.
const CHUNK: u32 = 64 * 1024;

/// Why a host function ends or interrupts its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// `proc_exit`.
    Exit(u32),
    /// The answer is larger than its limit.
    Full,
    /// What it has printed goes to the log; then it goes on.
    Print,
    /// It goes on after this time.
    Sleep(Duration),
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interrupted: {self:?}")
    }
}

impl HostError for Halt {}

/// Why a host function did not just succeed.
enum Fault {
    Errno(Errno),
    Halt(Halt),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

type Outcome = Result<(), Fault>;

/// Standard streams by their descriptors.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// What a module may import beside what [`linker`] defines; each answers that there is no such descriptor.
const ABSENT: [&str; 29] = [
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_readdir",
    "fd_renumber",
    "fd_sync",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "proc_raise",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// The functions a module is linked with.
///
/// # Errors
/// What it imports that nobody gives.
pub(super) fn linker(module: &Module) -> Result<Linker<Guest>, String> {
    let mut linker = Linker::new(module.engine());
    define(&mut linker).map_err(|error| error.to_string())?;
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty() else { continue };
        if import.module() == WASI && ABSENT.contains(&import.name()) && kind.results() == [ValType::I32] {
            let absent = |_: Caller<'_, Guest>, _: &[Val], results: &mut [Val]| {
                results.fill(Val::I32(Errno::BadDescriptor.code().cast_signed()));
                Ok(())
            };
            // An error means that it is imported twice.
            let _defined = linker.func_new(WASI, import.name(), kind.clone(), absent);
        }
    }
    Ok(linker)
}

/// Defines one host function: its name, its parameters, and what it does with memory and guest.
macro_rules! host {
    ($linker:ident, $name:literal, ($($parameter:ident: $kind:ty),*), $work:expr) => {
        $linker.func_wrap(WASI, $name, |mut caller: Caller<'_, Guest>, $($parameter: $kind),*| {
            let work: fn(&mut MemoryView<'_>, &mut Guest, $($kind),*) -> Outcome = $work;
            host(&mut caller, |view, guest| work(view, guest, $($parameter),*))
        })?
    };
}

fn define(linker: &mut Linker<Guest>) -> Result<(), Error> {
    host!(linker, "args_get", (list: u32, text: u32), args_get);
    host!(linker, "args_sizes_get", (count: u32, size: u32), |view, guest, count, size| {
        view.write_u32(count, 1)?;
        Ok(view.write_u32(size, MemoryView::length(&guest.name).saturating_add(1))?)
    });
    host!(linker, "clock_res_get", (clock: u32, at: u32), |view, guest, clock, at| {
        now(guest, clock)?;
        Ok(view.write_u64(at, 1)?)
    });
    host!(linker, "clock_time_get", (clock: u32, _precision: u64, at: u32), |view, guest, clock, _, at| {
        let now = now(guest, clock)?;
        Ok(view.write_u64(at, now)?)
    });
    host!(linker, "environ_get", (_list: u32, _text: u32), |_, _, _, _| Ok(()));
    host!(linker, "environ_sizes_get", (count: u32, size: u32), |view, _, count, size| {
        view.write_u32(count, 0)?;
        Ok(view.write_u32(size, 0)?)
    });
    host!(linker, "fd_close", (fd: u32), |_, _, fd| stream(fd));
    host!(linker, "fd_fdstat_get", (fd: u32, at: u32), fd_fdstat_get);
    host!(linker, "fd_fdstat_set_flags", (fd: u32, _flags: u32), |_, _, fd, _| stream(fd));
    host!(linker, "fd_read", (fd: u32, list: u32, count: u32, read: u32), fd_read);
    host!(linker, "fd_seek", (fd: u32, _offset: i64, _whence: u32, _at: u32), |_, _, fd, _, _, _| no_seek(fd));
    host!(linker, "fd_tell", (fd: u32, _at: u32), |_, _, fd, _| no_seek(fd));
    host!(linker, "fd_write", (fd: u32, list: u32, count: u32, written: u32), fd_write);
    host!(linker, "poll_oneoff", (events: u32, out: u32, count: u32, ready: u32), poll::poll_oneoff);
    host!(linker, "sched_yield", (), |_, _| Ok(()));
    linker.func_wrap(WASI, "proc_exit", |_: Caller<'_, Guest>, code: u32| -> Result<(), Error> {
        Err(Error::host(Halt::Exit(code)))
    })?;
    linker.func_wrap(WASI, "random_get", |mut caller: Caller<'_, Guest>, at: u32, length: u32| {
        spend(&mut caller, u64::from(length.min(CHUNK)) * 2)?;
        host(&mut caller, |view, _| random_get(view, at, length))
    })?;
    Ok(())
}

/// Gives a host function the module's memory, and its module a number for what came of it.
fn host(
    caller: &mut Caller<'_, Guest>,
    work: impl FnOnce(&mut MemoryView<'_>, &mut Guest) -> Outcome,
) -> Result<u32, Error> {
    let (outcome, fuel) = match caller.get_export("memory").and_then(Extern::into_memory) {
        Some(memory) => {
            let (bytes, guest) = memory.data_and_store_mut(&mut *caller);
            let mut view = MemoryView::new(bytes);
            let outcome = work(&mut view, guest);
            (outcome, view.fuel())
        }
        None => (Err(Errno::Fault.into()), 0),
    };
    spend(caller, CALL.saturating_add(fuel))?;
    match outcome {
        Ok(()) => Ok(0),
        Err(Fault::Errno(errno)) => Ok(errno.code()),
        Err(Fault::Halt(halt)) => Err(Error::host(halt)),
    }
}

/// What is spent beyond the slice ends it at the next instruction.
fn spend(caller: &mut Caller<'_, Guest>, fuel: u64) -> Result<(), Error> {
    let left = caller.get_fuel()?;
    caller.set_fuel(left.saturating_sub(fuel))
}

fn stream(fd: u32) -> Outcome {
    if fd <= STDERR { Ok(()) } else { Err(Errno::BadDescriptor.into()) }
}

fn no_seek(fd: u32) -> Outcome {
    stream(fd)?;
    Err(Errno::Pipe.into())
}

fn args_get(view: &mut MemoryView<'_>, guest: &mut Guest, list: u32, text: u32) -> Outcome {
    view.write_u32(list, text)?;
    view.write(text, guest.name.as_bytes())?;
    Ok(view.write(text.saturating_add(MemoryView::length(&guest.name)), &[0])?)
}

/// Nanoseconds of the realtime or the monotonic clock.
fn now(guest: &Guest, clock: u32) -> Result<u64, Errno> {
    let time = match clock {
        0 => guest.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
        1 => guest.clock.monotonic(),
        _ => return Err(Errno::Invalid),
    };
    Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn fd_fdstat_get(view: &mut MemoryView<'_>, _: &mut Guest, fd: u32, at: u32) -> Outcome {
    const READ: u64 = 1 << 1;
    const WRITE: u64 = 1 << 6;
    const POLL: u64 = 1 << 27;
    stream(fd)?;
    // Type 0 is unknown: neither a file nor a terminal.
    view.write(at, &[0; 24])?;
    let rights = POLL | if fd == STDIN { READ } else { WRITE };
    Ok(view.write_u64(at.saturating_add(8), rights)?)
}

fn fd_read(
    view: &mut MemoryView<'_>,
    guest: &mut Guest,
    fd: u32,
    list: u32,
    count: u32,
    read: u32,
) -> Outcome {
    if fd != STDIN {
        return Err(Errno::BadDescriptor.into());
    }
    let mut taken = guest.taken;
    for (at, length) in view.vectors(list, count)? {
        let rest = guest.input.get(taken..).unwrap_or_default();
        let room = usize::try_from(length).unwrap_or(usize::MAX);
        let part = rest.get(..room).unwrap_or(rest);
        view.write(at, part)?;
        taken += part.len();
    }
    let length = u32::try_from(taken - guest.taken).unwrap_or(u32::MAX);
    view.write_u32(read, length)?;
    guest.taken = taken;
    Ok(())
}

fn fd_write(
    view: &mut MemoryView<'_>,
    guest: &mut Guest,
    fd: u32,
    list: u32,
    count: u32,
    written: u32,
) -> Outcome {
    let vectors = view.vectors(list, count)?;
    let all = vectors.iter().fold(0u64, |sum, (_, length)| sum + u64::from(*length));
    match fd {
        STDOUT => {
            let room = guest.max_output.saturating_sub(guest.answer.len());
            if usize::try_from(all).map_or(true, |all| all > room) {
                return Err(Fault::Halt(Halt::Full));
            }
            for (at, length) in vectors {
                guest.answer.extend_from_slice(view.bytes(at, length)?);
            }
            // Less than the room, so less than four gigabytes: a list of vectors lies in 32-bit memory.
            Ok(view.write_u32(written, u32::try_from(all).unwrap_or(u32::MAX))?)
        }
        STDERR => {
            let (mut printed, mut left) = (Vec::new(), CHUNK);
            for (at, length) in vectors {
                let part = length.min(left);
                printed.extend_from_slice(view.bytes(at, part)?);
                left -= part;
            }
            view.write_u32(written, CHUNK - left)?;
            guest.printed = printed;
            Err(Fault::Halt(Halt::Print))
        }
        _ => Err(Errno::BadDescriptor.into()),
    }
}

fn random_get(view: &mut MemoryView<'_>, at: u32, length: u32) -> Outcome {
    if length > CHUNK {
        return Err(Errno::Invalid.into());
    }
    let mut rest = view.bytes_mut(at, length)?;
    while !rest.is_empty() {
        let drawn = rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty());
        let drawn = drawn.map_err(|_| Errno::Io)?;
        rest = rest.get_mut(drawn..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use msp_core::clock::ManualClock;
    use wasmi::{Config, Engine};

    use super::super::guest::Memory;
    use super::*;

    const FUEL: u64 = 10_000_000;

    /// The fuel of a module that makes this call to the host, and whose input is large.
    fn fuel(call: &str) -> u64 {
        let text = format!(
            r#"(module
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (data (i32.const 131000) "\00\00\01\00\60\ea\00\00")
            (func (export "_start") (drop {call})))"#
        );
        let engine = Engine::new(Config::default().consume_fuel(true));
        let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let memory = Memory::new(Arc::default(), u64::MAX, 0).unwrap();
        let guest = Guest::new("f", vec![7; 60_000], 0, memory, Arc::new(ManualClock::at(100)));
        let mut store = guest.into_store(&engine);
        store.set_fuel(FUEL).unwrap();
        let instance = linker(&module).unwrap().instantiate_and_start(&mut store, &module).unwrap();
        instance.get_func(&store, "_start").unwrap().call(&mut store, &[], &mut []).unwrap();
        FUEL - store.get_fuel().unwrap()
    }

    #[test]
    fn a_call_with_many_entries_costs_more_than_one_with_few() {
        for (call, each) in [
            ("(call $read (i32.const 0) (i32.const 0) (i32.const COUNT) (i32.const 130000))", 50),
            ("(call $write (i32.const 1) (i32.const 0) (i32.const COUNT) (i32.const 130000))", 50),
            ("(call $write (i32.const 9) (i32.const 0) (i32.const COUNT) (i32.const 130000))", 25),
            ("(call $poll (i32.const 0) (i32.const 65536) (i32.const COUNT) (i32.const 130000))", 100),
        ] {
            let [few, many, refused] = ["1", "1024", "1025"].map(|count| fuel(&call.replace("COUNT", count)));
            assert!(few < 500, "{call}: {few}");
            assert!(many > few + 1000 * each, "{call}: {many}");
            assert!(refused < 500, "{call}: {refused}");
        }
    }

    #[test]
    fn bytes_cost_as_well_even_where_the_call_then_fails() {
        for call in [
            "(call $read (i32.const 0) (i32.const 131000) (i32.const 1) (i32.const -1))",
            "(call $write (i32.const 2) (i32.const 131000) (i32.const 1) (i32.const -1))",
        ] {
            assert!(fuel(call) > 60_000 / 16, "{call}: {}", fuel(call));
        }
    }
}
