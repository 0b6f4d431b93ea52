//! `simulate`: runs seeds and prints the campaign's line for R17; or one seed, told event by event.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use testamur_sim::{Outcome, Plan, Variant, World};

/// Networks of validators in simulated time.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = 300)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One seed of so many is run twice, and must leave the same trace.
    #[arg(long, default_value_t = 10)]
    twice: u64,
    /// Threads, each with seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// One seed only, and tell what happens.
    #[arg(long)]
    tell: bool,
    /// Say something about every seed.
    #[arg(long)]
    each: bool,
}

#[derive(Default)]
struct Sum {
    bad: u64,
    heights: u64,
    records: u64,
    starts: u64,
    evidence: u64,
    twice: u64,
    events: u64,
    healed: Vec<u64>,
}

fn one(seed: u64, tell: bool) -> Outcome {
    World::new(seed, Plan::of(seed), Variant::None, tell).run()
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.tell {
        println!("{:#?}", Plan::of(options.seed));
        println!("{:#?}", one(options.seed, true));
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.runs {
                        return;
                    }
                    run(options.seed + number, number, &options, &sum);
                }
            });
        }
    });
    let mut sum = sum.into_inner().expect("no panic while held");
    sum.healed.sort_unstable();
    let at = |percent: usize| {
        let last = sum.healed.len().saturating_sub(1);
        sum.healed.get(last * percent / 100).map_or(0.0, |micros| *micros as f64 / 1e6)
    };
    println!(
        "R17 simulated-networks runs={} bad={} skipped=0 seconds={} metric=heights:{},records:{},starts:{},evidence:{},\
         events:{},repeated:{},same-trace:{},healed-p50-s:{:.1},healed-p99-s:{:.1},healed-max-s:{:.1}",
        options.runs,
        sum.bad,
        began.elapsed().as_secs(),
        sum.heights,
        sum.records,
        sum.starts,
        sum.evidence,
        sum.events,
        sum.twice,
        sum.twice,
        at(50),
        at(99),
        at(100),
    );
    if sum.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(seed: u64, number: u64, options: &Options, sum: &Mutex<Sum>) {
    let outcome = std::panic::catch_unwind(|| {
        let outcome = one(seed, false);
        let again = options.twice > 0 && number.is_multiple_of(options.twice);
        let same = !again || one(seed, false) == outcome;
        (outcome, again, same)
    });
    let mut sum = sum.lock().expect("no panic while held");
    let (outcome, again, same) = match outcome {
        Ok(outcome) => outcome,
        Err(_) => {
            sum.bad += 1;
            println!("BAD seed {seed}: a panic (simulate --tell --seed {seed})");
            return;
        }
    };
    sum.heights += outcome.heights;
    sum.records += outcome.records;
    sum.starts += outcome.starts;
    sum.evidence += outcome.evidence;
    sum.events += outcome.events;
    sum.twice += u64::from(again && same);
    match &outcome.broken {
        Some(broken) => {
            sum.bad += 1;
            println!("BAD seed {seed}: {} (simulate --tell --seed {seed})", broken.how);
        }
        None if !same => {
            sum.bad += 1;
            println!("BAD seed {seed}: run twice, two traces (simulate --tell --seed {seed})");
        }
        None => sum.healed.push(outcome.healed_after),
    }
    if options.each {
        println!("{outcome:?}");
    }
}
