//! Interrupted readings of the clocks, and made-up time namespaces.

use std::cell::Cell;
use std::os::unix::fs::symlink;

use anyhow::Result;
use tempfile::TempDir;

use super::*;

const OWN: &str = "time:[4026532177]";

/// A made-up `/proc/self` of a process in the time namespace `own`, whose children will be in `children`.
fn process(own: &str, children: &str, offsets: &str) -> Result<TempDir> {
    let process = TempDir::new()?;
    let namespaces = process.path().join("ns");
    fs::create_dir(&namespaces)?;
    symlink(own, namespaces.join("time"))?;
    symlink(children, namespaces.join("time_for_children"))?;
    fs::write(process.path().join("timens_offsets"), offsets)?;
    Ok(process)
}

/// The text of `timens_offsets` as Linux 6.18 shows it.
fn offsets(boottime: &str) -> String {
    format!("monotonic           5         0\nboottime   {boottime}\n")
}

#[test]
fn a_stamp_of_the_kernel_becomes_a_time_of_day() {
    let now = Now {
        boot: Duration::from_secs(100),
        wall: Duration::from_secs(1_800_000_000),
    };
    let earlier = now.wall_at(Duration::from_millis(99_500));
    assert_eq!(earlier, Duration::from_millis(1_799_999_999_500));
    let later = now.wall_at(Duration::from_millis(100_500));
    assert_eq!(later, Duration::from_millis(1_800_000_000_500));
}

#[test]
fn a_time_of_day_that_is_set_or_a_suspend_moves_dates_and_no_time_since_boot() {
    let event = Duration::from_secs(99);
    let now = |boot, wall| Now {
        boot: Duration::from_secs(boot),
        wall: Duration::from_secs(wall),
    };
    let before = now(100, 1_800_000_000);
    // The time of day is set an hour forward: the same event is dated by the clock as it is now.
    let set = now(100, 1_800_003_600);
    assert_eq!(
        set.wall_at(event) - before.wall_at(event),
        Duration::from_secs(3_600)
    );
    // After an hour of suspend both clocks have advanced by an hour, and the date is the same.
    let woken = now(3_700, 1_800_003_600);
    assert_eq!(woken.wall_at(event), before.wall_at(event));
    assert_eq!(woken.mark(event, 0).time, event);
}

#[test]
fn the_offset_of_a_time_namespace_is_taken_off_and_put_on_again() -> Result<()> {
    for (text, offset) in [
        ("100000         0", 100_000_000_000_000),
        ("-1 750000000", -250_000_000),
        ("0 0", 0),
    ] {
        let process = process(OWN, OWN, &offsets(text))?;
        let clock = Clock::of(process.path())?;
        assert_eq!(clock.offset, offset, "{text}");
        let boot = Duration::from_secs(200);
        assert_eq!(
            clock.shown_in_proc(boot).as_nanos() as i128,
            boot.as_nanos() as i128 + i128::from(offset)
        );
        let ahead = duration(clock_gettime(ClockId::Boottime)).as_nanos() as i128
            - clock.now().boot().as_nanos() as i128;
        // A positive offset may be larger than the time since boot, which is never shown as less than 0.
        if offset <= 0 {
            assert!(
                (ahead - i128::from(offset)).abs() < 1_000_000_000,
                "{ahead}"
            );
        }
    }
    Ok(())
}

#[test]
fn in_the_first_time_namespace_the_childrens_offsets_do_not_matter() -> Result<()> {
    let process = process(INITIAL_NAMESPACE, OWN, &offsets("100000 0"))?;
    assert_eq!(Clock::of(process.path())?.offset, 0);
    Ok(())
}

#[test]
fn a_kernel_without_time_namespaces_has_no_offset() -> Result<()> {
    let process = TempDir::new()?;
    fs::create_dir(process.path().join("ns"))?;
    assert_eq!(Clock::of(process.path())?.offset, 0);
    Ok(())
}

#[test]
fn where_the_offset_cannot_be_known_the_reason_is_reported() -> Result<()> {
    let outcome = |process: &Path| match Clock::of(process) {
        Ok(clock) => format!("{clock:?}"),
        Err(error) => error.to_string(),
    };
    let other = process(OWN, "time:[4026532178]", &offsets("100000 0"))?;
    let error = outcome(other.path());
    assert!(
        error.contains(OWN) && error.contains("unshare --time --fork"),
        "{error}"
    );
    for text in [
        "",
        "boottime\n",
        "boottime x 0\n",
        "boottime 99999999999999 0\n",
        "monotonic 1 0\n",
    ] {
        let invalid = process(OWN, OWN, text)?;
        let error = outcome(invalid.path());
        assert!(error.contains("no offset of boottime"), "{text:?}: {error}");
    }
    let nowhere = TempDir::new()?;
    let error = outcome(&nowhere.path().join("self"));
    assert!(
        error.contains("self/ns") && error.contains("mount proc"),
        "{error}"
    );
    Ok(())
}

#[test]
fn clocks_that_something_comes_between_are_read_again() {
    let (boot, wall) = (Cell::new(0), Cell::new(1_000_000));
    let interruptions = Cell::new(2);
    let read = |clock: &Cell<u64>| Duration::from_millis(clock.get());
    let boot_then_interrupted = || {
        let time = read(&boot);
        // A suspend of ten seconds just after it was read.
        if interruptions.get() > 0 {
            interruptions.set(interruptions.get() - 1);
            boot.set(boot.get() + 10_000);
            wall.set(wall.get() + 10_000);
        }
        time
    };
    let (boot, wall) = read_together(boot_then_interrupted, || read(&wall));
    assert_eq!(wall - boot, Duration::from_millis(1_000_000));
}

#[test]
fn clocks_that_are_always_interrupted_are_read_all_the_same() {
    let boot = Cell::new(0);
    let slow = || {
        boot.set(boot.get() + 5);
        Duration::from_secs(boot.get())
    };
    let (_, wall) = read_together(slow, || Duration::from_secs(7));
    assert_eq!(wall, Duration::from_secs(7));
}

#[test]
fn a_jiffy_is_one_of_the_lengths_that_a_kernel_can_be_built_with() {
    let hz = 1_000_000_000 / jiffy().as_nanos();
    assert!([100, 250, 300, 1000].contains(&hz), "{hz}");
}
