//! `plugin profile`: in which functions a plugin spends its CPU time.
//!
//! The recorded events pass through a new instance again and again, because one pass is over too soon.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use serde_json::json;

use super::super::engine;
use super::super::print_result;
use super::trial::Recorded;
use crate::config::PluginProfile;
use crate::plugin::CallContext;
use crate::plugin::Instance;
use crate::plugin::Plugin;
use crate::plugin::THREAD_STACK;
use crate::plugin::TimerContext;
use crate::plugin::runtime::samples::Samples;
use crate::plugin::runtime::samples::Stacks;
use crate::stream::batch::Item;
use crate::stream::batch::MAX_EVENTS;
use crate::stream::moment::Moment;
use crate::system::stdio::print_status;
use crate::system::threads;

/// Time between two samples.
const INTERVAL: Duration = Duration::from_millis(1);

/// Maximum number of functions that are printed.
const MAX_FUNCTIONS: usize = 25;

/// What was sampled.
struct Profile {
    stacks: Stacks,
    /// CPU time of the plugin's calls.
    time: Duration,
    passes: u64,
    events: u64,
}

/// Samples a plugin, and prints its functions.
pub fn profile(config: &PluginProfile) -> Result<()> {
    let recorded = Recorded::read(&config.events, usize::MAX)?;
    let spec = config.plugin.clone();
    let enough = config.time;
    let engine = engine()?;
    engine.run.set(recorded.run());
    let sampling = threads::named("profile").stack_size(THREAD_STACK);
    let sampling = sampling.spawn(move || {
        let plugin = Plugin::start(&engine, &spec)?;
        sample(&plugin, &recorded, enough)
    });
    let sampled = sampling.context("cannot start a thread")?.join();
    let profile = sampled.map_err(|_| anyhow!("the sampling thread panicked"))??;
    if profile.samples() == 0 {
        bail!(
            "no sample in {:.3} s of CPU time; more events, or a longer --time, give some",
            profile.time.as_secs_f64()
        );
    }
    if let Some(file) = &config.folded {
        let folded = profile.folded();
        if file.as_os_str() == "-" {
            return print_result(&folded);
        }
        fs::write(file, folded).with_context(|| format!("cannot write {}", file.display()))?;
        print_status(&format!(
            "wrote {} stacks to {}",
            profile.stacks.by_stack.len(),
            file.display()
        ));
    }
    print_result(&match config.json {
        true => profile.json() + "\n",
        false => profile.table(),
    })
}

/// Passes the events through new instances until they have used this much CPU time. Of a few events the instances take
/// longer to start than to run: it ends after ten times as long in any case.
fn sample(plugin: &Plugin, recorded: &Recorded, enough: Duration) -> Result<Profile> {
    let samples = Samples::default();
    let begun = Instant::now();
    let (mut time, mut passes, mut events) = (Duration::ZERO, 0, 0);
    while time < enough && begun.elapsed() < 10 * enough {
        let mut instance = plugin.prepared.instance(None, Moment::default())?;
        instance.sample_every(INTERVAL, &samples);
        let (used, processed) = pass(&mut instance, recorded)?;
        time += used;
        passes += 1;
        events += processed;
    }
    Ok(Profile {
        stacks: samples.stacks(),
        time,
        passes,
        events,
    })
}

/// Passes the events through an instance. Returns the CPU time of its calls, and the number of events.
fn pass(instance: &mut Instance, recorded: &Recorded) -> Result<(Duration, u64)> {
    let (mut time, mut events) = (Duration::ZERO, 0);
    let mut context = CallContext::default();
    let mut censuses = Vec::new();
    for item in recorded.items(MAX_EVENTS) {
        match item {
            Item::Events(mut batch) => {
                context.lost = batch.lost;
                let processed = instance.process(&mut batch, context);
                processed.map_err(|mut fault| {
                    fault.write_log();
                    fault
                })?;
                events += batch.len() as u64;
            }
            Item::Census(census) => {
                censuses.push(Arc::new(census));
                continue;
            }
            Item::Mark(mark) => {
                let censuses = std::mem::take(&mut censuses);
                let timer = TimerContext {
                    lost: mark.lost,
                    censuses,
                };
                context.clock = mark.now();
                if !instance.has_timer() {
                    continue;
                }
                instance.tick(&mark, timer)?;
            }
            Item::End(mark) if instance.has_timer() => {
                let timer = TimerContext {
                    lost: mark.lost,
                    censuses: std::mem::take(&mut censuses),
                };
                instance.finish(&mark, timer)?;
            }
            Item::End(_) => continue,
        }
        time += instance.last_call_cpu_time();
    }
    Ok((time, events))
}

/// The samples of a function: those in which it was running, and those in which it was on the stack.
#[derive(Default)]
struct Function {
    own: u64,
    total: u64,
}

impl Profile {
    fn samples(&self) -> u64 {
        self.stacks.by_stack.values().sum::<u64>() + self.stacks.other
    }

    /// The functions, those with the most samples of their own first.
    fn functions(&self) -> Vec<(&str, Function)> {
        let mut functions: BTreeMap<&str, Function> = BTreeMap::new();
        for (stack, samples) in &self.stacks.by_stack {
            if let Some(running) = stack.last() {
                functions.entry(running).or_default().own += samples;
            }
            // A function that calls itself is on the stack more than once.
            let distinct: HashSet<&str> = stack.iter().map(String::as_str).collect();
            for name in distinct {
                functions.entry(name).or_default().total += samples;
            }
        }
        let mut functions: Vec<_> = functions.into_iter().collect();
        functions.sort_by_key(|(_, function)| std::cmp::Reverse((function.own, function.total)));
        functions
    }

    /// A line for each stack: its functions, from the outermost one, with semicolons, and its samples.
    fn folded(&self) -> String {
        let mut lines: Vec<String> = self
            .stacks
            .by_stack
            .iter()
            .map(|(stack, samples)| {
                let names: Vec<_> = stack.iter().map(|name| name.replace(';', ":")).collect();
                format!("{} {samples}\n", names.join(";"))
            })
            .collect();
        if self.stacks.other > 0 {
            lines.push(format!("[other stacks] {}\n", self.stacks.other));
        }
        lines.sort();
        lines.concat()
    }

    fn json(&self) -> String {
        let functions = self.functions().into_iter().map(|(name, function)| {
            json!({ "name": name, "self": function.own, "total": function.total })
        });
        json!({
            "samples": self.samples(),
            "interval_ms": INTERVAL.as_millis() as u64,
            "cpu_seconds": self.time.as_secs_f64(),
            "passes": self.passes,
            "events": self.events,
            "functions": functions.collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn table(&self) -> String {
        let samples = self.samples();
        let percent = |part: u64| part as f64 * 100.0 / samples as f64;
        let mut text = format!("{:>7}  {:>7}  function\n", "self", "total");
        let functions = self.functions();
        for (name, function) in functions.iter().take(MAX_FUNCTIONS) {
            let (own, total) = (percent(function.own), percent(function.total));
            text += &format!("{own:>6.1}%  {total:>6.1}%  {name}\n");
        }
        if functions.len() > MAX_FUNCTIONS {
            text += &format!("and {} more\n", functions.len() - MAX_FUNCTIONS);
        }
        text + &format!(
            "\n{samples} samples in {:.1} s of CPU time, {:.0} ns for each of {} events ({} passes).\n\
             Samples are taken where functions begin and loops repeat: time in between, as in calls of the host, shows\n\
             there. A function that was inlined shows as the one that it is in.\n",
            self.time.as_secs_f64(),
            self.time.as_nanos() as f64 / self.events as f64,
            self.events,
            self.passes,
        )
    }
}
