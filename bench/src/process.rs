//! What a process used: from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// Is what a process and its children used up to now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of all processors.
    pub(crate) cpu_seconds: f64,
    /// The most memory that it held at once, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Is the kernel's unit of time in `/proc/PID/stat`: 100 a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads what a process used, those that it started included.
///
/// # Errors
/// When there is no such process.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let mut total = own_usage(pid)?;
    for child in children(pid) {
        if let Ok(used) = usage(child) {
            total.cpu_seconds += used.cpu_seconds;
            total.peak_bytes += used.peak_bytes;
        }
    }
    Ok(total)
}

fn own_usage(pid: u32) -> Result<Usage> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("read what process {pid} used"))?;
    // The name, in parentheses, may hold blanks; the times are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|index| fields.get(*index)?.parse::<f64>().ok()).sum();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(Usage { cpu_seconds: ticks / TICKS_PER_SECOND, peak_bytes: peak.unwrap_or_default() * 1024 })
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}
