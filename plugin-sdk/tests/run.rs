//! What a plugin is told of its run: the name of the machine, and the time of day.

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::testing::Scenario;
use retrans_plugin_sdk::testing::Synth;

/// Prints the run and the time of day at each tick.
struct Clocked;

impl Plugin for Clocked {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Clocked)
    }

    fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }

    fn on_tick(&mut self, _: Duration, out: &mut Output) -> Result<()> {
        let Run { host, is_live, .. } = Run::current();
        let time = Run::wall_time().as_secs();
        out.line(format_args!("{host:?} {is_live:?} {time}"));
        Ok(())
    }
}

#[test]
fn a_tick_has_the_time_of_day_and_the_name_of_the_host() -> Result<()> {
    let event = Synth::new(1).next().context("the stream has no end")?;
    let tick = event.time() + Duration::from_secs(5);
    let outcome = Scenario::new()
        .host("web1")
        .tick(Duration::ZERO)
        .event(event.clone())
        .tick(tick)
        .run::<Clocked>()?;
    let time = (event.wall_time() + Duration::from_secs(5)).as_secs();
    let expected = [
        "Some(\"web1\") None 0".to_owned(),
        format!("Some(\"web1\") None {time}"),
    ];
    assert_eq!(outcome.lines, expected);
    Ok(())
}

/// Keeps the time of day of its start, and prints that of its events with it.
struct Started(Duration);

impl Plugin for Started {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Started(Run::wall_time()))
    }

    fn on_event(&mut self, _: &mut Event, out: &mut Output) -> Result<Verdict> {
        let now = Run::wall_time().as_nanos();
        out.line(format_args!("{} {now}", self.0.as_nanos()));
        Ok(Verdict::Keep)
    }
}

#[test]
fn before_the_first_tick_the_time_of_day_is_that_of_the_first_event() -> Result<()> {
    let events: Vec<_> = Synth::new(1).take(20).collect();
    let first = events[0].wall_time().as_nanos();
    let outcome = Scenario::new().events(events).run::<Started>()?;
    assert_eq!(outcome.lines, vec![format!("1 {first}"); 20]);
    Ok(())
}
