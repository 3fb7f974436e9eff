//! Several hostile plugins in one chain, on full batches and on captures of real kernels.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::fixtures::LIAR;
use crate::common::fixtures::fixture;
use crate::common::ledger::Ledger;
use crate::host::release;

/// Acts of the liar that fail on every event, with their causes.
const ACTS: [(&str, &str); 6] = [
    ("loops", "deadline"),
    ("panics", "trap"),
    ("takes_memory", "memory"),
    ("refuses", "error"),
    ("writes_without_end", "contract"),
    ("recurses", "trap"),
];

/// Replays a capture through all of these with json-print between them, whose output must be that of a
/// run without them. Returns the ledger.
#[track_caller]
fn assert_seen_between_all(capture: &Path) -> Ledger {
    let replay = || -> Command {
        let mut command = release(&["replay"]);
        command.arg(capture);
        command
    };
    let (expected, _) = ran(&mut replay());
    let liar = fixture(LIAR).display().to_string();
    let mut command = replay();
    command.args(["--limit", "time=20ms"]);
    for (index, (act, _)) in ACTS.iter().enumerate() {
        if index == ACTS.len() / 2 {
            command.args(["--plugin", "json-print"]);
        }
        let plugin = format!("{act}={liar}");
        command.args(["--plugin", &plugin, "--set", &format!("act={act}")]);
    }
    let (printed, stderr) = ran(&mut command);
    assert!(printed == expected, "{}: {stderr}", capture.display());
    let ledger = Ledger::parse(stderr.lines()).unwrap_or_else(|error| panic!("{error:#}"));
    ledger.assert_replay_balances();
    for (act, cause) in ACTS {
        let counters = ledger.plugin(act);
        assert_eq!(counters.get("passed_unseen"), counters.get("in"), "{act}");
        assert!(ledger.faults[act].get(cause) > 0, "{act}: {stderr}");
    }
    ledger
}

#[test]
fn hostile_plugins_in_one_chain_harm_neither_the_printer_between_them_nor_each_other() {
    let files = Files::new();
    let capture = files.path().join("a.rtc");
    let mut command = release(&["generate", "--events", "20k"]);
    ran(command.arg(&capture));
    let ledger = assert_seen_between_all(&capture);

    assert_eq!(ledger.replay.get("delivered"), 20_000);
    let faults = |plugin: &str| ledger.faults[plugin].show();
    // 32 s of the stream: five faults at once, and one each after 10 s and 20 s more. The search by
    // halves in a full batch of 256 takes 16 calls until five events are found, and 9 until one is
    // found.
    assert_eq!(faults("panics"), "reloads=0 restarts=36 trap=34");
    assert_eq!(faults("refuses"), "error=34 reloads=0 restarts=36");
}

#[test]
fn what_real_kernels_did_is_seen_as_well() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let entries = fs::read_dir(captures).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let captures = paths.filter(|path| path.extension().is_some_and(|ext| ext == "rtc"));
    let replayed = captures.map(|capture| assert_seen_between_all(&capture));
    assert!(replayed.count() > 5, "there are some");
}
