//! `throng tune`: which outbox and which policy fit a feed and its clients?

mod options;
mod pace;
pub(crate) mod peer;
mod progress;
mod prove;

use std::env;
use std::fs;
use std::io;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use throng::tune::Proof;
use throng::tune::Terminal;
use throng::tune::Tuning;

pub(crate) use self::options::Options;
use self::options::Subject;
use self::progress::Bar;
use crate::record::summary;

/// Tunes, and prints what was found on the standard output, or else why nothing was.
pub(crate) fn run(options: &Options) -> ExitCode {
    if options.schema {
        println!("{}", Tuning::JSON_SCHEMA);
        return ExitCode::SUCCESS;
    }
    match tune(options) {
        Ok(tuning) if tuning.best().is_some() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(NOTHING_PASSES),
        Err(error) => {
            eprintln!("throng: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The exit code when every setting breaks a bound.
const NOTHING_PASSES: u8 = 3;

fn tune(options: &Options) -> Result<Tuning, String> {
    let Subject {
        mut scenario,
        recording,
    } = options.subject()?;
    let terminal = Terminal::new(width(), colours());
    let speaks = !options.json && !options.check;
    if scenario.pace.is_none() {
        let pace = pace::measured(&scenario)
            .map_err(|error| format!("cannot measure the pace: {error}"))?;
        scenario.pace = Some(pace);
    }
    if speaks {
        if let Some(recording) = &recording {
            println!("{}", summary(recording));
        }
        print!("{}", scenario.to_terminal(terminal));
    }
    let bar = Bar::new();
    let show = |progress| bar.show(progress);
    let tuning = match &recording {
        Some(recording) => Tuning::replay(recording, &scenario, show),
        None => Tuning::run(&scenario, show),
    };
    let tuning = tuning.map_err(|error| error.to_string())?;
    let summary = bar.finish();
    let proof = options
        .prove
        .then(|| proved(options, &tuning))
        .transpose()?;
    if options.json {
        println!("{}", tuning.to_json(proof.as_ref()));
    } else if options.check {
        print!("{}", tuning.to_verdict(terminal));
    } else {
        println!("{summary}\n\n{}", tuning.to_terminal(terminal).trim_end());
        if let Some(proof) = &proof {
            println!("\n{}", proof.to_terminal(terminal).trim_end());
        }
    }
    if !options.check && !options.no_files {
        let files = write(&options.out, &tuning, proof.as_ref(), recording.is_some())?;
        if speaks {
            println!("\n{files}");
        }
    }
    Ok(tuning)
}

fn proved(options: &Options, tuning: &Tuning) -> Result<Proof, String> {
    prove::prove(tuning, options.prove_for, |number, all, setting| {
        if io::stderr().is_terminal() {
            eprintln!("  on real sockets, {number} of {all}: {setting}");
        }
    })
}

/// Writes the report, its data and the scenario; returns lines that name them.
fn write(
    out: &Path,
    tuning: &Tuning,
    proof: Option<&Proof>,
    is_replay: bool,
) -> Result<String, String> {
    let scenario = &tuning.scenario;
    let out = if out == Path::new(".") {
        Path::new("")
    } else {
        out
    };
    let path = |extension: &str| out.join(format!("tune-{}.{extension}", scenario.name));
    let write = |extension: &str, text: String| {
        let path = path(extension);
        fs::write(&path, text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok::<_, String>(path.display().to_string())
    };
    let html = write("html", tuning.to_html(proof))?;
    let json = write("json", tuning.to_json(proof))?;
    if is_replay {
        return Ok(format!("  report  {html} · data  {json}"));
    }
    let toml = write("toml", scenario.to_toml())?;
    let again = format!("throng tune {toml}");
    let prove = match proof {
        None => format!("\n  prove it on real sockets (2 min)  {again} --prove"),
        Some(_) => String::new(),
    };
    Ok(format!(
        "  report  {html} · data  {json} · seed {}\n  again with  {again}{prove}",
        scenario.seed
    ))
}

/// The columns of the terminal.
fn width() -> usize {
    let columns = env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let window = || rustix::termios::tcgetwinsize(io::stdout()).ok();
    let measured = || window().map(|window| usize::from(window.ws_col));
    columns.or_else(measured).unwrap_or(0)
}

fn colours() -> bool {
    let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && io::stdout().is_terminal()
}
