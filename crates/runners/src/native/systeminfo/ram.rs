//! How much memory there is, and what it is used for.

use std::collections::HashMap;

use msp_core::RunError;
use serde_json::{Value, json};

use super::{read, tenths};

/// Bytes of each kind, and the percentage that is not available to programs.
pub(super) fn part() -> Result<Value, RunError> {
    Ok(describe(&meminfo(&read("/proc/meminfo")?)))
}

/// The lines of `/proc/meminfo` in bytes.
fn meminfo(text: &str) -> HashMap<&str, u64> {
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let kibibytes: u64 = rest.split_whitespace().next()?.parse().ok()?;
            Some((name, kibibytes.saturating_mul(1024)))
        })
        .collect()
}

/// What a kernel does not tell is 0.
fn describe(meminfo: &HashMap<&str, u64>) -> Value {
    let of = |name| meminfo.get(name).copied().unwrap_or(0);
    let (total, free, buffers) = (of("MemTotal"), of("MemFree"), of("Buffers"));
    let cached = of("Cached").saturating_add(of("SReclaimable"));
    let idle = free.saturating_add(buffers).saturating_add(cached);
    // In a container these may be the host's beside a total of its own.
    let used = total.checked_sub(idle).unwrap_or_else(|| total.saturating_sub(free));
    // Kernels before 3.14 do not tell what is available.
    let available = meminfo.get("MemAvailable").copied().unwrap_or(idle);
    json!({
        "total": total,
        "free": free,
        "used": used,
        "cached": cached,
        "active": of("Active"),
        "inactive": of("Inactive"),
        "buffers": buffers,
        "shared": of("Shmem"),
        "slab": of("Slab"),
        "percent": percent(total.saturating_sub(available), total),
    })
}

fn percent(taken: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { tenths(taken as f64 / total as f64 * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:        1000 kB\nMemFree:          200 kB\nMemAvailable:     667 kB\n\
        Buffers:           50 kB\nCached:           300 kB\nActive:           111 kB\nInactive:         222 kB\n\
        Shmem:             10 kB\nSlab:              80 kB\nSReclaimable:      60 kB\nHugePages_Total:       0\n";

    #[test]
    fn cached_counts_what_can_be_reclaimed_and_used_is_the_rest() {
        assert_eq!(
            describe(&meminfo(MEMINFO)),
            json!({
                "total": 1000 * 1024, "free": 200 * 1024, "used": 390 * 1024, "cached": 360 * 1024,
                "active": 111 * 1024, "inactive": 222 * 1024, "buffers": 50 * 1024, "shared": 10 * 1024,
                "slab": 80 * 1024, "percent": 33.3,
            })
        );
    }

    #[test]
    fn an_old_kernel_has_available_what_is_free_or_cached() {
        let described = describe(&meminfo("MemTotal: 1000 kB\nMemFree: 200 kB\nCached: 300 kB\n"));
        assert_eq!(described["percent"], 50.0);
    }

    #[test]
    fn odd_text_gives_numbers_that_hold_together() {
        let of = |text| describe(&meminfo(text));
        for odd in ["", "\n:\n::\nMemTotal", "MemTotal: x kB", "MemTotal: -1 kB\nMemFree: 1 kB"] {
            assert_eq!((&of(odd)["total"], &of(odd)["percent"]), (&json!(0), &json!(0.0)), "{odd:?}");
        }
        let host = of("MemTotal: 100 kB\nMemFree: 40 kB\nCached: 900 kB\nMemAvailable: 950 kB");
        assert_eq!((&host["used"], &host["percent"]), (&json!(60 * 1024), &json!(0.0)));
        assert_eq!(of("MemTotal: 18446744073709551615 kB")["percent"], 100.0);
    }
}
