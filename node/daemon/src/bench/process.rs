//! What a process costs, as Linux counts it.

use std::fs;

/// Ticks a second in which the kernel tells CPU times (`USER_HZ`): 100 on every architecture that nodes run on.
const TICKS_S: f64 = 100.0;

/// CPU seconds of a process so far, in user and kernel mode, over all its threads.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64, String> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_S).ok_or_else(|| format!("{path}: no times in it"))
}

/// The fields `utime` and `stime`, 14th and 15th. The second is the name in brackets, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

/// Memory that a process holds now.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    resident(&status).ok_or_else(|| format!("{path}: no VmRSS in it"))
}

/// The most memory that a process has held so far.
pub(super) fn peak_resident_bytes(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    kilobytes(&status, "VmHWM:").ok_or_else(|| format!("{path}: no VmHWM in it"))
}

fn resident(status: &str) -> Option<u64> {
    kilobytes(status, "VmRSS:")
}

fn kilobytes(status: &str, member: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(member))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Processes that wanted a core in the last minute: with how many others the figures were shared.
pub(super) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 120 34 5 6 20 0 1 0 99 1 2";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks("7 (a"), None);
        assert_eq!(resident("Name:\tx\nVmRSS:\t  2048 kB\nThreads:\t1\n"), Some(2 * 1024 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
        assert!(resident_bytes(std::process::id()).unwrap() > 0);
    }
}
