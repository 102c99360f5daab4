//! Waiting for the clock: `poll_oneoff`, and so every kind of sleep.

use std::time::Duration;

use super::super::guest::Guest;
use super::memory_view::{Errno, MemoryView, records};
use super::{Fault, Halt, Outcome, STDERR, STDIN, now};

/// Bytes of one subscription and of one event.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// What a module waits for.
enum Awaited {
    /// So long, in nanoseconds.
    Time(u64),
    /// Input or output, which are always ready; or a descriptor that does not exist.
    Stream(Result<(), Errno>),
}

/// Writes the events first and lets the module sleep until they have come true.
pub(super) fn poll_oneoff(
    view: &mut MemoryView<'_>,
    guest: &mut Guest,
    subscriptions: u32,
    events: u32,
    count: u32,
    ready: u32,
) -> Outcome {
    let awaited = records(subscriptions, count, SUBSCRIPTION)?
        .map(|at| read(view.array(at)?, guest))
        .collect::<Result<Vec<_>, Errno>>()?;
    let wait = awaited.iter().map(|(_, _, awaited)| match awaited {
        Awaited::Time(nanoseconds) => *nanoseconds,
        Awaited::Stream(_) => 0,
    });
    let Some(wait) = wait.min() else { return Err(Errno::Invalid.into()) };
    let mut happened = 0;
    for (userdata, kind, awaited) in awaited {
        let errno = match awaited {
            Awaited::Time(nanoseconds) if nanoseconds > wait => continue,
            Awaited::Time(_) => 0,
            Awaited::Stream(stream) => stream.map_or_else(Errno::code, |()| 0),
        };
        let [low, high, ..] = errno.to_le_bytes();
        let at = events.saturating_add(EVENT * happened);
        view.write(at, &[0; 32])?;
        view.write(at, &userdata)?;
        view.write(at.saturating_add(8), &[low, high, kind])?;
        happened += 1;
    }
    view.write_u32(ready, happened)?;
    if wait == 0 { Ok(()) } else { Err(Fault::Halt(Halt::Sleep(Duration::from_nanos(wait)))) }
}

/// The mark a subscription's event carries, its kind, and what it is for.
fn read(bytes: [u8; 48], guest: &Guest) -> Result<([u8; 8], u8, Awaited), Errno> {
    let mut view = bytes;
    let view = MemoryView::new(&mut view);
    let number = |at| Ok(u32::from_le_bytes(view.array(at)?));
    let [kind] = view.array(8)?;
    let awaited = match kind {
        0 => {
            let time = u64::from_le_bytes(view.array(24)?);
            let now = now(guest, number(16)?)?;
            let [flags, _] = view.array(40)?;
            let is_moment = flags & 1 == 1;
            Awaited::Time(if is_moment { time.saturating_sub(now) } else { time })
        }
        1 if number(16)? == STDIN => Awaited::Stream(Ok(())),
        2 if (STDIN + 1..=STDERR).contains(&number(16)?) => Awaited::Stream(Ok(())),
        1 | 2 => Awaited::Stream(Err(Errno::BadDescriptor)),
        _ => return Err(Errno::Invalid),
    };
    Ok((view.array(0)?, kind, awaited))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use msp_core::clock::ManualClock;

    use super::super::super::guest::Memory;
    use super::*;

    /// Kind, descriptor or clock, time and flags of a subscription, marked by its place.
    type Subscription = (u8, u32, u64, u8);

    const AT: u32 = 8;
    const EVENTS: u32 = 512;

    /// What came of it, and mark, error and kind of each event.
    fn poll(wanted: &[Subscription]) -> (Outcome, Vec<(u8, u8, u8)>) {
        let mut bytes = vec![0; 1024];
        for (index, (kind, id, time, flags)) in wanted.iter().enumerate() {
            let one = &mut bytes[8 + 48 * index..];
            one[0] = u8::try_from(index).unwrap();
            one[8] = *kind;
            one[16..20].copy_from_slice(&id.to_le_bytes());
            one[24..32].copy_from_slice(&time.to_le_bytes());
            one[40] = *flags;
        }
        let memory = Memory::new(Arc::default(), 0, 0).unwrap();
        let mut guest = Guest::new("f", Vec::new(), 0, memory, Arc::new(ManualClock::at(100)));
        let count = u32::try_from(wanted.len()).unwrap();
        let outcome = poll_oneoff(&mut MemoryView::new(&mut bytes), &mut guest, AT, EVENTS, count, 0);
        let events = bytes[512..].chunks(32).take(usize::from(bytes[0]));
        (outcome, events.map(|event| (event[0], event[8], event[10])).collect())
    }

    fn sleeps(outcome: &Outcome, nanoseconds: u64) -> bool {
        matches!(outcome, Err(Fault::Halt(Halt::Sleep(time))) if *time == Duration::from_nanos(nanoseconds))
    }

    #[test]
    fn the_first_moment_is_slept_to_and_alone_comes_true() {
        let (outcome, events) = poll(&[(0, 1, 70, 0), (0, 1, 50, 0), (0, 0, 100_000_000_050, 1)]);
        assert!(sleeps(&outcome, 50));
        assert_eq!(events, [(1, 0, 0), (2, 0, 0)]);
    }

    #[test]
    fn a_moment_that_has_passed_is_not_slept_to() {
        let (outcome, events) = poll(&[(0, 0, 99_000_000_000, 1), (0, 1, 5, 0)]);
        assert!(outcome.is_ok());
        assert_eq!(events, [(0, 0, 0)]);
    }

    #[test]
    fn streams_are_ready_at_once_and_other_descriptors_do_not_exist() {
        let (outcome, events) = poll(&[(1, 0, 0, 0), (2, 1, 0, 0), (0, 1, 5, 0), (1, 1, 0, 0), (2, 9, 0, 0)]);
        assert!(outcome.is_ok());
        assert_eq!(events, [(0, 0, 1), (1, 0, 2), (3, 8, 1), (4, 8, 2)]);
    }

    #[test]
    fn what_cannot_be_waited_for_is_invalid() {
        for wanted in [&[][..], &[(3, 0, 0, 0)], &[(0, 2, 5, 0)]] {
            assert!(matches!(poll(wanted).0, Err(Fault::Errno(Errno::Invalid))), "{wanted:?}");
        }
    }
}
