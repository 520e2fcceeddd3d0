//! `throng bench env`: the machine and the build behind a measurement, in one line.
//!
//! A time means little without the machine that it was taken on, and ratios between two programs
//! change with the caches too. So each table and each report carries this line.

use std::env::consts;
use std::fmt;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use serde::Serialize;

/// The machine and the build; the fields are those of `--json`.
#[derive(Serialize)]
pub(crate) struct Environment {
    /// The name that the processor has for itself, with its family and model.
    cpu: String,
    /// Processors that this process may use.
    cores: usize,
    /// The caches of the first processor, such as `L2 2 MiB`.
    caches: Vec<String>,
    kernel: String,
    /// The version of throng.
    version: &'static str,
    /// The profile of Cargo that this program was built with.
    profile: &'static str,
    rustc: &'static str,
    /// Nanoseconds of one `fetch_add` on a counter that no other thread uses.
    atomic_ns: f64,
}

impl Environment {
    /// Reads what the system says, and times the atomic, which takes a few milliseconds.
    pub(crate) fn read() -> Self {
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            cpu: cpu(&read("/proc/cpuinfo")),
            cores: thread::available_parallelism().map_or(0, usize::from),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            kernel: format!("{} {kernel}", consts::OS),
            version: env!("CARGO_PKG_VERSION"),
            profile: env!("THRONG_PROFILE"),
            rustc: env!("THRONG_RUSTC"),
            atomic_ns: atomic_nanos(),
        }
    }

    /// The same machine, for what another program measured that was built with `profile`.
    pub(crate) fn with_profile(self, profile: &'static str) -> Self {
        Self { profile, ..self }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, .. } = self;
        write!(f, "{cores} cores of {cpu}")?;
        for cache in &self.caches {
            write!(f, ", {cache}")?;
        }
        write!(
            f,
            "; one uncontended atomic {:.1} ns; {}; throng {}, profile {}, {}",
            self.atomic_ns, self.kernel, self.version, self.profile, self.rustc
        )
    }
}

/// A file of one value; empty where the system does not have it.
fn read(file: impl AsRef<Path>) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.trim().to_owned()
}

/// The first processor of `/proc/cpuinfo`. Virtual machines often hide the name, not the numbers.
fn cpu(info: &str) -> String {
    let field = |name: &str| {
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(key, _)| key.trim() == name)?;
        Some(value.trim())
    };
    let Some(name) = field("model name") else {
        return format!("an unknown {}", consts::ARCH);
    };
    let number = |name: &str| field(name).unwrap_or("?");
    let is_virtual =
        field("flags").is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor"));
    format!(
        "{name} (family {}, model {}{})",
        number("cpu family"),
        number("model"),
        if is_virtual { ", virtual" } else { "" }
    )
}

/// `L1d 48 KiB` and so on, of a folder of `/sys`.
fn caches(folder: &Path) -> Vec<String> {
    let cache = |index: usize| {
        let folder = folder.join(format!("index{index}"));
        let size = read(folder.join("size"));
        let kind = match &*read(folder.join("type")) {
            "Data" => "d",
            "Instruction" => return None,
            _ => "",
        };
        let kib: usize = size.strip_suffix('K')?.parse().ok()?;
        let size = match kib {
            1_024.. if kib.is_multiple_of(1_024) => format!("{} MiB", kib / 1_024),
            _ => format!("{kib} KiB"),
        };
        Some(format!("L{}{kind} {size}", read(folder.join("level"))))
    };
    (0..CACHES).filter_map(cache).collect()
}

/// The median of several rounds: one that was interrupted does not matter.
fn atomic_nanos() -> f64 {
    let counter = AtomicU64::new(0);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..ADDS {
                // Relaxed: no other thread knows of it.
                black_box(&counter).fetch_add(1, Ordering::Relaxed);
            }
            begin.elapsed().as_secs_f64() * 1e9 / f64::from(ADDS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// More than a processor has.
const CACHES: usize = 8;

const ROUNDS: usize = 41;

const ADDS: u32 = 20_000;
