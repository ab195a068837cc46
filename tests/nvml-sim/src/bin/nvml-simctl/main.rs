//! nvml-simctl: makes the simulated machine, and does to it what programs under test can't or
//! shouldn't: load, weather, faults, other people's settings, drivers that come and go.

mod answers;
mod commands;
mod fans;
mod misbehave;
mod nonsense;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use nvidia_ml::clock;
use nvidia_ml::code;
use nvidia_ml::file::{DEFAULT_PATH, StateFile, VARIABLE};
use nvidia_ml::layout::Bench;
use nvidia_ml::physics;

/// Controls the simulated NVML machine that all processes with the same state file share.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The state file.
    #[arg(long, global = true, env = VARIABLE, default_value = DEFAULT_PATH)]
    state: PathBuf,
    #[command(subcommand)]
    command: Command,
}

/// Which cards a command is about.
#[derive(Clone, Copy, Debug, Args)]
struct Which {
    /// Index of the card; without it, all cards.
    #[arg(long)]
    gpu: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a machine, over whatever the state file held; prints the cards' UUIDs.
    Create(Create),
    /// Sets load and surroundings: load=1.0 compute=1.0 inlet=40 airflow=1.6 hbm=1.0 memory=0.5.
    Set {
        #[command(flatten)]
        which: Which,
        #[arg(required = true, value_parser = commands::assignment)]
        assignments: Vec<commands::Assignment>,
    },
    /// Simulated seconds per second, from now on; 0 stops the physics.
    TimeScale { factor: f64 },
    /// Lets that many simulated seconds pass at once.
    Advance { seconds: f64 },
    /// Brings cards to where long idling would.
    Rest {
        #[command(flatten)]
        which: Which,
    },
    /// Someone else sets the power limit, in watts.
    Limit {
        #[command(flatten)]
        which: Which,
        watts: f64,
    },
    /// An out-of-band controller (BMC) caps below the requested limit, in watts; 0 lifts it.
    OutOfBand {
        #[command(flatten)]
        which: Which,
        watts: f64,
    },
    /// Someone else locks clocks, in MHz.
    Lock {
        #[command(flatten)]
        which: Which,
        domain: commands::Domain,
        min: u32,
        max: u32,
    },
    /// Someone else resets a clock lock.
    Unlock {
        #[command(flatten)]
        which: Which,
        domain: commands::Domain,
    },
    /// Puts something wrong with cards: lost, hang, no-permission, frozen-temperature,
    /// ignored-writes, failing-reads, any-answer (several with commas),
    /// unsupported:FIELD[,FIELD…], or none, which clears all.
    Fault {
        #[command(flatten)]
        which: Which,
        #[arg(value_parser = commands::trouble)]
        fault: commands::Trouble,
    },
    /// Makes a call answer any code or any value, or the truth again.
    Answer(answers::Answering),
    /// Makes a setter misbehave, in mW or MHz: quantise=5000,offset=1 clamp=200000:300000
    /// refuse=CODE[:FROM:TO] ignore forget=SECONDS, several with commas, or none. Replaces what
    /// was wrong with it.
    Setter {
        #[command(flatten)]
        which: Which,
        name: misbehave::SetterName,
        #[arg(value_parser = misbehave::setter)]
        how: thermal_guard::sim::faults::Setter,
    },
    /// Makes a sensor misbehave, in °C or W: cache=SECONDS lag=SECONDS offset=-20 noise=1.5 freeze,
    /// several with commas, or none. Replaces what was wrong with it.
    Sensor {
        #[command(flatten)]
        which: Which,
        name: misbehave::SensorName,
        #[arg(value_parser = misbehave::sensor)]
        how: thermal_guard::sim::faults::Sensor,
    },
    /// The fans: stuck=PERCENT inverted stopped (faults), top=PERCENT (where the firmware's curve ends),
    /// cools (the air follows their speed), none (no fault); set=PERCENT, set=auto (another program).
    Fans {
        #[command(flatten)]
        which: Which,
        #[arg(required = true, value_parser = fans::change)]
        changes: Vec<fans::Change>,
    },
    /// Makes cards tell other facts: `min_w=100` `slowdown=95` `margin=off` `hot_spot=12`
    /// `limit_w=330`; NAME=own is the profile's again, none all of them.
    Facts {
        #[command(flatten)]
        which: Which,
        #[arg(required = true, value_parser = nonsense::fact)]
        facts: Vec<nonsense::Fact>,
    },
    /// Makes a card another one: uuid=TEXT. Nothing keeps two from having the same.
    Identity {
        #[command(flatten)]
        which: Which,
        #[arg(value_parser = nonsense::uuid)]
        uuid: nvidia_ml::layout::Text<48>,
    },
    /// Counts these cards in this order, and no others: places as of create; or all, or none.
    Order {
        #[arg(required = true)]
        places: Vec<String>,
    },
    /// Makes clock event reasons stick: force=BITS mask=BITS, or none.
    Events {
        #[command(flatten)]
        which: Which,
        #[arg(required = true, value_parser = nonsense::stuck)]
        stuck: Vec<nonsense::Stuck>,
    },
    /// Every call that touches the card takes this many µs longer; `reported`: each kind of call
    /// takes what a real driver was seen to take.
    Latency {
        #[command(flatten)]
        which: Which,
        #[arg(value_parser = commands::latency)]
        latency: commands::Latency,
    },
    /// Reports a critical error to who waits for one.
    Xid {
        #[arg(long)]
        gpu: u32,
        code: u32,
    },
    /// Unloads the driver and loads it again: limits, locks and counters are gone.
    DriverReload,
    /// Unloads the driver.
    DriverUnload,
    /// Loads it.
    DriverLoad,
    /// Replaces it by one of another version than the library's, as amid an upgrade.
    DriverMismatch,
    /// The truth about the machine.
    Show {
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// What of it stands in a trace: a temperature that jumps, a limit of somebody else's.
    const fn traced(&self) -> Option<(&'static str, Which)> {
        match self {
            Self::Rest { which } => Some(("rest", *which)),
            Self::Limit { which, .. } => Some(("limit", *which)),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
struct Create {
    /// A card by its profile's key, once for each; the keys are in the error for a wrong one.
    #[arg(long = "gpu", required = true, value_parser = commands::profile)]
    gpus: Vec<&'static thermal_guard::sim::profile::Profile>,
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Temperature of the air into the cards.
    #[arg(long, default_value_t = 25.0, allow_negative_numbers = true)]
    inlet: f64,
    /// Driver version reported.
    #[arg(long, default_value = "580.95.05")]
    driver: String,
    /// How much each watt of the other cards warms a card's inlet, in °C.
    #[arg(long, default_value_t = 0.0)]
    shared_air: f64,
    /// Number of the machine in its cards' UUIDs, where there are several.
    #[arg(long, default_value_t = 0)]
    node: u32,
}

fn main() -> ExitCode {
    match obey(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nvml-simctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(cli: Cli) -> anyhow::Result<()> {
    if let Command::Create(create) = &cli.command {
        return commands::create(&cli.state, create);
    }
    let file = StateFile::open(&cli.state).with_context(|| {
        format!(
            "no machine at {} (nvml-simctl create makes one)",
            cli.state.display()
        )
    })?;
    let mut bench = file.lock()?;
    physics::settle(&mut bench, clock::since_boot());
    let traced = cli.command.traced();
    run(&mut bench, cli.command)?;
    for (index, card) in bench.cards().iter().enumerate() {
        if let Some((what, which)) = traced
            && which.gpu.is_none_or(|gpu| gpu == index)
        {
            let at = clock::monotonic();
            bench.trace().note(at, index, card, what, code::SUCCESS);
        }
    }
    Ok(())
}

fn run(bench: &mut Bench, command: Command) -> anyhow::Result<()> {
    use nvidia_ml::operate;

    match command {
        // Done before there is a machine.
        Command::Create(_) => {}
        Command::Set { which, assignments } => commands::set(bench, which, &assignments)?,
        Command::TimeScale { factor } => commands::time_scale(bench, factor)?,
        Command::Advance { seconds } => commands::advance(bench, seconds)?,
        Command::Rest { which } => commands::each(bench, which, |card| {
            operate::cool_down(card);
            Ok(())
        })?,
        Command::Limit { which, watts } => commands::limit(bench, which, watts)?,
        Command::OutOfBand { which, watts } => commands::out_of_band(bench, which, watts)?,
        Command::Lock {
            which,
            domain,
            min,
            max,
        } => commands::lock(bench, which, domain, min, max)?,
        Command::Unlock { which, domain } => commands::unlock(bench, which, domain)?,
        Command::Fault { which, fault } => commands::fault(bench, which, fault)?,
        Command::Answer(told) => answers::tell(bench, &told)?,
        Command::Setter { which, name, how } => misbehave::set_setter(bench, which, name, how)?,
        Command::Sensor { which, name, how } => misbehave::set_sensor(bench, which, name, how)?,
        Command::Fans { which, changes } => fans::apply(bench, which, &changes)?,
        Command::Facts { which, facts } => nonsense::tell(bench, which, &facts)?,
        Command::Identity { which, uuid } => commands::each(bench, which, |card| {
            card.uuid = uuid;
            Ok(())
        })?,
        Command::Order { places } => nonsense::order(bench, &places)?,
        Command::Events { which, stuck } => nonsense::stick(bench, which, &stuck)?,
        Command::Latency { which, latency } => commands::slow_down(bench, which, latency)?,
        Command::Xid { gpu, code } => commands::xid(bench, gpu, code)?,
        Command::DriverReload => {
            operate::unload_driver(bench);
            operate::load_driver(bench);
        }
        Command::DriverUnload => operate::unload_driver(bench),
        Command::DriverLoad => operate::load_driver(bench),
        Command::DriverMismatch => operate::mismatch_driver(bench),
        Command::Show { json: true } => println!("{:#}", show::json(bench)),
        Command::Show { json: false } => print!("{}", show::text(bench)),
    }
    Ok(())
}
