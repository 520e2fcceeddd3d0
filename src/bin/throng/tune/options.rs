//! What `throng tune` can be told.

use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use throng::SlowConsumer;
use throng::tune::Bounds;
use throng::tune::Burst;
use throng::tune::ClientClass;
use throng::tune::InvalidScenario;
use throng::tune::Keys;
use throng::tune::Recording;
use throng::tune::Scenario;
use throng::tune::Values;
use throng::tune::parse_duration;
use throng::tune::parse_part;
use throng::tune::parse_policy;

use crate::record::Source;
use crate::record::record;

/// What `throng tune` can be told.
///
/// The scenario is the file, or else the preset, or else the defaults; flags change parts of it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// A scenario in TOML, as `throng tune` writes one; the format is in the documentation of
    /// `throng::tune::Scenario`. Or a recording, as `throng record` writes one: then the feed and
    /// the clients are the recorded ones.
    #[arg(value_name = "FILE", conflicts_with = "preset")]
    file: Option<PathBuf>,

    /// A scenario by name.
    #[arg(long, value_parser = Scenario::PRESETS)]
    preset: Option<String>,

    /// Records a live server first, http://host:port, and tunes for what was recorded.
    #[arg(long, value_name = "URL", conflicts_with_all = ["preset", "file"], requires = "channel")]
    from: Option<String>,

    /// With --from: a channel to record; may be given several times.
    #[arg(long, value_name = "NAME", requires = "from")]
    channel: Vec<String>,

    /// With --from: how long to record.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    record_for: Duration,

    /// The name of the feed, for the names of the reports.
    #[arg(long)]
    name: Option<String>,

    /// Messages a second, besides the bursts.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,

    /// Many messages at once, now and then: MESSAGES/EVERY such as 400/12s, or 400/12s/50us for
    /// messages that are 50 us apart.
    #[arg(long, value_name = "MESSAGES/EVERY", value_parser = parsed::<Burst>)]
    burst: Option<Burst>,

    /// Conflation keys: COUNT, COUNT:zipf, or COUNT:EXPONENT such as 400:1.05.
    #[arg(long, value_name = "COUNT", value_parser = parsed::<Keys>)]
    keys: Option<Keys>,

    /// Bytes of a payload, on average.
    #[arg(long, value_name = "BYTES")]
    size: Option<u64>,

    /// Which values matter to a client: only the newest of each key, or all.
    #[arg(long, value_name = "WHICH")]
    values: Option<Which>,

    /// Classes of clients with their shares: of fixed, mobile, weak and sleepy, such as
    /// fixed:55%,mobile:33%,weak:9%,sleepy:3%.
    #[arg(long, value_name = "CLASS:SHARE,...")]
    clients: Option<String>,

    /// How long is simulated, for each setting and seed, such as 2m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Clients that are simulated.
    #[arg(long, value_name = "N")]
    population: Option<usize>,

    /// The seed of all random numbers.
    #[arg(long)]
    seed: Option<u64>,

    /// Seeds on which the best settings are measured.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,

    /// The time from one visit of a connection by its flusher to the next, such as 500us; `auto`
    /// measures it on this machine, and is the default.
    #[arg(long, value_name = "TIME|auto")]
    pace: Option<String>,

    /// The publisher does not wait for the flushers: it uses `Channel::publish` inside the server's
    /// process.
    #[arg(long)]
    direct: bool,

    /// The share of the messages that may be lost, such as 1%.
    #[arg(long, value_name = "SHARE", value_parser = part)]
    lost: Option<f64>,

    /// Closes that are allowed, per client and hour.
    #[arg(long, value_name = "N")]
    closed_per_hour: Option<f64>,

    /// Bytes that a client may take at the peak, in its outbox and in the kernel.
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,

    /// Messages in an outbox: the sizes to try, with commas between them.
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    outbox: Vec<usize>,

    /// The policies to try, as `--slow-consumer` of `throng serve` has them.
    #[arg(long, value_name = "POLICY,...", value_delimiter = ',', value_parser = parse_policy)]
    policy: Vec<SlowConsumer>,

    /// The unsent marks to try, in bytes; 0 for none.
    #[arg(long, value_name = "BYTES,...", value_delimiter = ',')]
    unsent_mark: Vec<u32>,

    /// Histories to try, in messages for each channel; 0 for none.
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    history: Vec<usize>,

    /// The directory that the report, its data and the scenario are written to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) out: PathBuf,

    /// Write no files.
    #[arg(long)]
    pub(super) no_files: bool,

    /// Print JSON instead of text.
    #[arg(long)]
    pub(super) json: bool,

    /// Print the JSON Schema of the report, and nothing else.
    #[arg(long)]
    pub(super) schema: bool,

    /// Check the recommendation on real sockets of this machine, beside three other settings and
    /// the defaults.
    #[arg(long, conflicts_with = "check")]
    pub(super) prove: bool,

    /// How long each setting is checked for.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub(super) prove_for: Duration,

    /// Print the verdict only and write no files. As always, the exit code is 3 if every setting
    /// breaks a bound.
    #[arg(long)]
    pub(super) check: bool,
}

/// Which values matter to a client.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// The newest value of each key.
    Newest,
    /// Every message.
    All,
}

impl Options {
    /// What is to be tuned, checked.
    pub(super) fn subject(&self) -> Result<Subject, String> {
        let recording = self.recording()?;
        let mut scenario = match (&recording, &self.file, &self.preset) {
            (Some(recording), ..) => recording.scenario("recorded"),
            (None, Some(file), _) => read(file)?,
            (None, None, Some(name)) => Scenario::preset(name).unwrap_or_default(),
            (None, None, None) => Scenario::default(),
        };
        if recording.is_some() && self.prove {
            return Err(
                "--prove needs a scenario: links of a recording cannot be played".to_owned(),
            );
        }
        self.change_feed(&mut scenario);
        self.change_rest(&mut scenario)?;
        self.change_sweep(&mut scenario);
        scenario.check().map_err(|error| error.to_string())?;
        Ok(Subject {
            scenario,
            recording,
        })
    }

    /// The recording, if there is one: a file, or made now.
    fn recording(&self) -> Result<Option<Recording>, String> {
        if let Some(url) = &self.from {
            let source = Source {
                url: url.clone(),
                channel: self.channel.clone(),
                time: self.record_for,
            };
            return record(&source).map(Some);
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut magic = [0; 8];
        let begins = fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic));
        if begins.is_err() || !Recording::is_recording(&magic) {
            return Ok(None);
        }
        let name = file.display();
        let bytes = read_bytes(file, MOST_RECORDED)?;
        let recording =
            Recording::from_bytes(&bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(Some(recording))
    }

    fn change_feed(&self, scenario: &mut Scenario) {
        let Some(feed) = scenario.feeds.first_mut() else {
            return;
        };
        set(&mut feed.rate, self.rate);
        set(&mut feed.size.mean, self.size);
        if self.burst.is_some() {
            feed.burst = self.burst;
        }
        if self.keys.is_some() {
            feed.keys = self.keys;
        }
    }

    fn change_rest(&self, scenario: &mut Scenario) -> Result<(), String> {
        set(&mut scenario.name, self.name.clone());
        set(&mut scenario.duration, self.duration);
        set(&mut scenario.population, self.population);
        set(&mut scenario.seed, self.seed);
        set(&mut scenario.seeds, self.seeds);
        let values = self.values.map(|values| match values {
            Which::Newest => Values::Newest,
            Which::All => Values::All,
        });
        set(&mut scenario.values, values);
        if let Some(clients) = &self.clients {
            scenario.clients =
                ClientClass::parse_list(clients).map_err(|error| error.to_string())?;
        }
        match self.pace.as_deref() {
            Some("auto") => scenario.pace = None,
            Some(pace) => {
                let pace = duration(pace).map_err(|error| format!("--pace: {error}"))?;
                scenario.pace = Some(pace);
            }
            None => {}
        }
        if self.direct {
            scenario.publisher_waits = false;
        }
        let Bounds {
            lost,
            closed_per_hour,
            memory,
            ..
        } = &mut scenario.bounds;
        set(lost, self.lost);
        set(closed_per_hour, self.closed_per_hour);
        *memory = self.memory.or(*memory);
        Ok(())
    }

    fn change_sweep(&self, scenario: &mut Scenario) {
        let sweep = &mut scenario.sweep;
        set_list(&mut sweep.outbox, &self.outbox);
        set_list(&mut sweep.policy, &self.policy);
        set_list(&mut sweep.unsent_mark, &self.unsent_mark);
        set_list(&mut sweep.history, &self.history);
    }
}

fn read(file: &Path) -> Result<Scenario, String> {
    let name = file.display();
    let bytes = read_bytes(file, MAX_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
    Scenario::from_toml(&text).map_err(|error| format!("{name}: {error}"))
}

fn read_bytes(file: &Path, most: u64) -> Result<Vec<u8>, String> {
    let name = file.display();
    let failed = |error: io::Error| format!("cannot read {name}: {error}");
    let size = fs::metadata(file).map_err(failed)?.len();
    if size > most {
        return Err(format!("{name} has {size} bytes, at most {most} are read"));
    }
    fs::read(file).map_err(failed)
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn set_list<T: Clone>(place: &mut Vec<T>, values: &[T]) {
    if !values.is_empty() {
        *place = values.to_vec();
    }
}

fn parsed<T: std::str::FromStr<Err = InvalidScenario>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: InvalidScenario| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn part(text: &str) -> Result<f64, String> {
    parse_part(text).map_err(|error| error.to_string())
}

/// What is to be tuned.
pub(super) struct Subject {
    pub(super) scenario: Scenario,
    pub(super) recording: Option<Recording>,
}

/// The most bytes of a recording.
const MOST_RECORDED: u64 = 1 << 30;

/// The most bytes of a scenario file.
const MAX_BYTES: u64 = 1 << 20;
