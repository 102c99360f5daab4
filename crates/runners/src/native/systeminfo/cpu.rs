//! What the processors are, and what they do.

use std::fs::read_dir;
use std::path::Path;

use msp_core::RunError;
use rustix::param::clock_ticks_per_second;
use serde_json::{Value, json};

use super::{read, tenths};

/// Ticks spent in user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice.
pub(super) type Times = [u64; 10];

/// Model, number, frequency, load and times. `base` keeps the times for the next call, and gives those to
/// measure the percentage from; without any it is that since the machine started.
pub(super) fn part(base: impl FnOnce(&Times) -> Option<Times>) -> Result<Value, RunError> {
    let (stat, cpuinfo) = (stat(&read("/proc/stat")?), read("/proc/cpuinfo")?);
    let base = base(&stat.times).unwrap_or_default();
    let frequency = frequency(&megahertz(&cpuinfo), &policies(Path::new("/sys/devices/system/cpu/cpufreq")));
    let ticks = clock_ticks_per_second();
    Ok(json!({
        "cpu_model": model(&cpuinfo),
        "cpu_count": stat.processors,
        "cpu_freq": frequency,
        "loadavg": load(&read("/proc/loadavg")?),
        "percent": percent(&base, &stat.times),
        "times": stat.times.map(|spent| spent as f64 / ticks as f64),
        // Linux does not count calls of the system.
        "stats": [stat.switches, stat.interrupts, stat.soft_interrupts, 0],
    }))
}

/// The totals of `/proc/stat`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stat {
    times: Times,
    processors: usize,
    switches: u64,
    interrupts: u64,
    soft_interrupts: u64,
}

/// What is missing counts as 0.
fn stat(text: &str) -> Stat {
    let mut stat = Stat::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let mut numbers = words.map(|word| word.parse().unwrap_or(0));
        match name {
            "cpu" => stat.times.iter_mut().zip(numbers).for_each(|(time, spent)| *time = spent),
            "ctxt" => stat.switches = numbers.next().unwrap_or(0),
            "intr" => stat.interrupts = numbers.next().unwrap_or(0),
            "softirq" => stat.soft_interrupts = numbers.next().unwrap_or(0),
            name if name.starts_with("cpu") => stat.processors += 1,
            _ => {}
        }
    }
    stat
}

/// The share of time between two readings that was not idle.
fn percent(base: &Times, now: &Times) -> f64 {
    let mut spent = [0.0; 10];
    for ((spent, base), now) in spent.iter_mut().zip(base).zip(now) {
        // Idle times may go back on some machines.
        *spent = now.saturating_sub(*base) as f64;
    }
    // The times of guests are in those of user and nice already.
    let [user, nice, system, idle, iowait, irq, softirq, steal, _guest, _guest_nice] = spent;
    let busy = user + nice + system + irq + softirq + steal;
    let all = busy + idle + iowait;
    if all > 0.0 { tenths(busy / all * 100.0) } else { 0.0 }
}

/// The first model that `/proc/cpuinfo` names; not every architecture has one.
fn model(cpuinfo: &str) -> &str {
    let model = fields(cpuinfo).find(|(name, _)| name.eq_ignore_ascii_case("model name"));
    model.map(|(_, value)| value).filter(|value| !value.is_empty()).unwrap_or("Unknown")
}

/// The present frequency of each processor by `/proc/cpuinfo`, where it is told.
fn megahertz(cpuinfo: &str) -> Vec<f64> {
    let lines = fields(cpuinfo).filter(|(name, _)| name.eq_ignore_ascii_case("cpu mhz"));
    lines.filter_map(|(_, value)| value.parse().ok()).filter(|value: &f64| value.is_finite()).collect()
}

fn fields(cpuinfo: &str) -> impl Iterator<Item = (&str, &str)> {
    cpuinfo.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
}

/// Present, lowest and highest frequency in MHz of each group of processors that share theirs.
fn policies(folder: &Path) -> Vec<[f64; 3]> {
    let megahertz = |file: &Path| -> Option<f64> {
        let kilohertz: u32 = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
        Some(f64::from(kilohertz) / 1000.0)
    };
    let Ok(entries) = read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("policy"))
        .filter_map(|entry| {
            let of = |name| megahertz(&entry.path().join(name));
            let now = of("scaling_cur_freq").or_else(|| of("cpuinfo_cur_freq"))?;
            Some([now, of("scaling_min_freq")?, of("scaling_max_freq")?])
        })
        .collect()
}

/// The means over all processors: present, lowest, highest; 0 for what a virtual machine does not know. None
/// when nothing is known. The present one of `/proc/cpuinfo` is the measured one, that of a policy may be the
/// one asked for.
fn frequency(processors: &[f64], policies: &[[f64; 3]]) -> Option<[f64; 3]> {
    let mean = |numbers: &mut dyn Iterator<Item = f64>| {
        let (count, sum) = numbers.fold((0.0, 0.0), |(count, sum), number| (count + 1.0, sum + number));
        if count > 0.0 { Some(sum / count) } else { None }
    };
    let measured = mean(&mut processors.iter().copied());
    let Some(lowest) = mean(&mut policies.iter().map(|[_, lowest, _]| *lowest)) else {
        return measured.map(|now| [now, 0.0, 0.0]);
    };
    let highest = mean(&mut policies.iter().map(|[.., highest]| *highest))?;
    let asked_for = mean(&mut policies.iter().map(|[now, ..]| *now))?;
    let now = measured.filter(|_| processors.len() == policies.len()).unwrap_or(asked_for);
    Some([now, lowest, highest])
}

/// The mean number of processes that ran or waited, over 1, 5 and 15 minutes.
fn load(loadavg: &str) -> [f64; 3] {
    let mut loads = [0.0; 3];
    let words =
        loadavg.split_whitespace().map(|word| word.parse().ok().filter(|load: &f64| load.is_finite()));
    loads.iter_mut().zip(words).for_each(|(load, word)| *load = word.unwrap_or(0.0));
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  70058 3 13440 82355 1288 1 79 69 5 6\ncpu0 33959 0 6098 43228 291 0 10 32 0 0\n\
        cpu1 36098 0 7341 39126 997 0 68 36 0 0\nintr 494425 0 0 1\nctxt 666409\nbtime 1795620643\n\
        processes 20862\nsoftirq 252428 0 39058\n";

    #[test]
    fn stat_gives_times_processors_and_counters() {
        assert_eq!(
            stat(STAT),
            Stat {
                times: [70058, 3, 13440, 82355, 1288, 1, 79, 69, 5, 6],
                processors: 2,
                switches: 666_409,
                interrupts: 494_425,
                soft_interrupts: 252_428,
            }
        );
        let old_kernel = stat("cpu 1 2 3 4\n");
        assert_eq!(old_kernel.times, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn odd_stat_is_read_as_far_as_it_goes() {
        assert_eq!(stat(""), Stat::default());
        let odd = "cpu 1 x 99999999999999999999 -4 5 6 7 8 9 10 11 12\nctxt\nintr \u{fffd}\n\n \nsoftirq";
        assert_eq!(stat(odd), Stat { times: [1, 0, 0, 0, 5, 6, 7, 8, 9, 10], ..Stat::default() });
    }

    #[test]
    fn percent_is_the_busy_share_between_two_readings() {
        let base = [100, 0, 50, 1000, 10, 0, 0, 0, 7, 0];
        assert_eq!(percent(&base, &[120, 0, 60, 1060, 20, 0, 0, 0, 27, 0]), 30.0);
        assert_eq!(percent(&base, &base), 0.0);
        assert_eq!(percent(&base, &[100, 0, 51, 999, 10, 0, 0, 0, 0, 0]), 100.0, "idle went back");
        assert_eq!(percent(&[0; 10], &[1, 0, 0, 2, 0, 0, 0, 0, 0, 0]), 33.3);
        assert_eq!(percent(&[0; 10], &[u64::MAX; 10]), 75.0);
    }

    #[test]
    fn cpuinfo_names_the_model_where_there_is_one() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC: 9\ncpu MHz\t\t: 2596.132\n\
            cpu MHz : nan\ncpu MHz\t\t: 2600.132\n";
        assert_eq!(model(cpuinfo), "AMD EPYC: 9");
        assert_eq!(megahertz(cpuinfo), [2596.132, 2600.132]);
        for none in ["", "processor : 0\nBogoMIPS : 50.00\n", "model name :\n", "model name"] {
            assert_eq!((model(none), megahertz(none)), ("Unknown", Vec::new()), "{none:?}");
        }
    }

    #[test]
    fn frequency_is_the_mean_of_what_is_known() {
        assert_eq!(frequency(&[], &[]), None);
        assert_eq!(frequency(&[2000.0, 3000.0], &[]), Some([2500.0, 0.0, 0.0]));
        let policies = [[1000.0, 400.0, 4000.0], [2000.0, 600.0, 5000.0]];
        assert_eq!(frequency(&[], &policies), Some([1500.0, 500.0, 4500.0]));
        assert_eq!(frequency(&[3000.0, 3200.0], &policies), Some([3100.0, 500.0, 4500.0]));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests")]
    fn a_policy_that_tells_too_little_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kilohertz) in [
            ("policy0/scaling_cur_freq", "2500000\n"),
            ("policy0/scaling_min_freq", "400000\n"),
            ("policy0/scaling_max_freq", "4900500\n"),
            ("policy1/scaling_cur_freq", "<unknown>\n"),
            ("policy2/cpuinfo_cur_freq", "1000\n"),
            ("boost", "1\n"),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, kilohertz).unwrap();
        }
        assert_eq!(policies(folder.path()), [[2500.0, 400.0, 4900.5]]);
        assert_eq!(policies(Path::new("/nowhere")), Vec::<[f64; 3]>::new());
    }

    #[test]
    fn load_is_three_numbers_whatever_is_read() {
        assert_eq!(load("0.63 0.81 10.00 1/106 20867\n"), [0.63, 0.81, 10.0]);
        for odd in ["", "x y", "nan inf -", "\n"] {
            assert_eq!(load(odd), [0.0; 3], "{odd:?}");
        }
    }
}
