//! The journal itself: systemd-journald, in a mount namespace of its own, reads what a host writes.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use crate::common::captures::generated;
use crate::common::components::Files;
use crate::common::refusal::BINARY;
use crate::support::root::lacks;
use crate::support::root_test;

/// Where Debian has the program.
const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// Starts a journal with files of its own, and a host whose standard streams go to it. After half of its lines the journal
/// is killed, and another one begins. `$0` is the program of the journal, `$1` the host, `$2` the capture. Prints the exit
/// code of the host, and what the journal has.
const SCRIPT: &str = r#"
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal || exit
begin() {
    "$journald" 2>/dev/null &
    journal=$!
    for wait in $(seq 100); do [ -S /run/systemd/journal/stdout ] && return; sleep 0.1; done
    exit 1
}
journald=$0 host=$1 capture=$2
begin
run() {
    systemd-cat --identifier=retrans-host sh -c \
        'JOURNAL_STREAM=$(stat --dereference --format=%d:%i /dev/stderr) exec "$0" "$@"' \
        "$host" replay "$capture" --plugin threshold-alert --set threshold=1 "$@"
    echo "exit $?"
}
run
run --plugin json-print --speed 1x &
replay=$!
for wait in $(seq 200); do
    journalctl --directory=/run/log/journal --output=cat | grep -q '"type":"retransmit"' && break
    sleep 0.1
done
kill -KILL $journal
rm /run/systemd/journal/stdout
wait $replay
begin
journalctl --directory=/run/log/journal --identifier=retrans-host --output=json \
    --output-fields=PRIORITY,MESSAGE --no-pager
"#;

#[test]
fn root_a_journal_reads_the_priority_of_each_line_and_a_host_outlives_it() -> Result<()> {
    root_test(|_| {
        if !Path::new(JOURNALD).exists() {
            lacks("systemd-journald is not installed (Debian's package systemd)");
            return Ok(());
        }
        let files = Files::new();
        let capture = generated(files.path(), "a.rtc", &["--events", "300"]);
        let mut journal = Command::new("unshare");
        // With the processes of the namespace, all end.
        journal.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]);
        journal.args(["timeout", "120", "sh", "-c", SCRIPT, JOURNALD, BINARY]);
        let output = journal.arg(capture).output()?;
        let printed = String::from_utf8(output.stdout)?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        let exits = printed.lines().filter(|line| *line == "exit 0").count();
        ensure!(exits == 2, "{printed} {stderr}");
        let entries = printed.lines().filter(|line| line.starts_with('{'));
        let entries: Vec<Value> = entries
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        let entry = |begin: &str| {
            let is_it = |entry: &&Value| {
                entry["MESSAGE"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(begin))
            };
            let found = entries.iter().find(is_it);
            found.with_context(|| format!("{begin}: {printed}"))
        };
        for (begin, priority) in [
            ("WARNING retransmit-threshold: ", "4"),
            ("ledger: replay read=300 ", "6"),
            ("replayed 300 events ", "6"),
            ("{\"type\":\"retransmit\"", "6"),
        ] {
            assert_eq!(entry(begin)?["PRIORITY"], priority, "{begin}");
        }
        Ok(())
    })
}
