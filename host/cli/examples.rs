//! Examples at the end of help texts and manual pages. A paragraph of prose is one line: clap breaks it to the width of
//! the terminal.

/// Of watching, and the exit codes.
pub const RUN: &str = "\
Examples:
  sudo retrans-host                                print each retransmit: columns, or JSON in a pipe
  sudo retrans-host | jq -r .destination.ip        print the peers to which segments were lost
  sudo retrans-host --plugin threshold-alert --set threshold=50 --set window=30s
  sudo retrans-host --listen 127.0.0.1:9435        metrics for Prometheus, and a report of the last minutes
  sudo retrans-host --reconcile > events.jsonl     at the end, compare with the kernel's counters
  sudo retrans-host --plugin threshold-alert --sink alertmanager=http://localhost:9093
  sudo retrans-host --sink otlp=http://localhost:4318 --sink-set interval=30s
  sudo pkill -USR1 retrans-host                    have a running host print the ledger so far
  sudo retrans-host --peer 10.0.0.0/8 --port 443,8000-8999 --kind timeout
  sudo retrans-host --cgroup system.slice/nginx.service --sample 1/10
  sudo retrans-host --record lossy.rtc             record all events, to replay them elsewhere
  sudo retrans-host --record - --duration 30s | ssh desk retrans-host replay -
  retrans-host replay lossy.rtc --plugin ./filter.wasm --plugin json-print
  sudo retrans-host --plugin a=./tag.wasm --set zone=eu --plugin b=./tag.wasm --set zone=us
  sudo retrans-host --plugin ./strange.wasm --limit time=50ms,memory=8MiB --on-fault drop
  sudo retrans-host --watch --plugin ./zones.wasm --allow read=/etc/zones --plugin json-print

Exit codes: 0 at the end of a replay, after --duration or --count, after Ctrl-C or SIGTERM, or if the reader of a pipe \
on standard output has closed it; 2 for a wrong command line or setting; 1 for any other error, and for a `generate` \
that a signal cut short; 130 after a second signal.";

/// Of `replay`.
pub const REPLAY: &str = "\
Examples:
  retrans-host replay lossy.rtc                    print each event: columns, or JSON in a pipe
  retrans-host replay lossy.rtc.1 lossy.rtc --plugin ./mine.wasm
  retrans-host replay lossy.rtc --peer 10.0.0.0/8 --comm nginx --kind timeout,fast
  retrans-host replay events.jsonl --plugin threshold-alert --set threshold=5
  zcat events.jsonl.gz | retrans-host replay -     replay JSON lines, of json-print or your own
  retrans-host replay lossy.rtc --plugin threshold-alert --sink alertmanager=http://localhost:9093
  retrans-host replay nats://broker:4222 --since 10m --plugin ./mine.wasm    what a fleet has published
  retrans-host replay lossy.rtc --from 2026-01-01T12:00:00Z --count 10k --record part.rtc
  retrans-host replay lossy.rtc --speed 1x --from 2026-01-01T12:00:00Z --to 2026-01-01T12:05:00Z";

/// Of `consume`.
#[cfg(feature = "fleet")]
pub const CONSUME: &str = "\
Examples:
  retrans-host consume nats://broker:4222 --plugin threshold-alert --sink alertmanager=http://am:9093
  retrans-host consume nats://broker:4222 --plugin json-print --from-beginning --partitions 0-7
  retrans-host consume tls://a:4222,tls://b:4222 --nats-credentials consumer.creds --plugin ./mine.wasm

Several consumers share the partitions; when one dies, others go on with its state within 10 s.";

/// Of `fleet`.
#[cfg(feature = "fleet")]
pub const FLEET: &str = "\
Examples:
  retrans-host fleet server-config web-1 web-2 > nats.conf
  retrans-host fleet init nats://admin:secret@broker:4222 --partitions 32 --replicas 3
  sudo retrans-host --publish nats://broker:4222 --nats-nkey /etc/retrans-host/nkey
  retrans-host fleet status nats://broker:4222 --json";

/// Of `inspect`.
pub const INSPECT: &str = "\
Examples:
  retrans-host inspect lossy.rtc                   machine, time, kinds, losses, peers, events over time
  retrans-host inspect lossy.rtc --by process --by peer,kind --top 20
  retrans-host inspect lossy.rtc --comm nginx --from 2026-01-01T12:00:00Z --by connection
  retrans-host inspect lossy.rtc --json --by container | jq '.by[0].top'";

/// Of `report`.
pub const REPORT: &str = "\
Examples:
  retrans-host report lossy.rtc -o report.html
  retrans-host report lossy.rtc.1 lossy.rtc --peer 10.0.0.0/8 --from 2026-01-01T12:00:00Z -o report.html
  retrans-host report lossy.rtc --plugin threshold-alert --set threshold=20 -o report.html
  retrans-host report nats://broker:4222 --since 1h -o fleet.html
  retrans-host report --compare before.rtc after.rtc -o changes.html
  sudo retrans-host --record - --duration 1h | retrans-host report - -o report.html";

/// Of `config`.
pub const CONFIG: &str = "\
Examples:
  retrans-host config check /etc/retrans-host/config.toml
  retrans-host config show /etc/retrans-host/config.toml
  retrans-host config show config.toml --census 1m --peer 10.0.0.0/8
  sudo retrans-host --config /etc/retrans-host/config.toml";

/// Of `top`.
pub const TOP: &str = "\
Examples:
  sudo retrans-host top                            keys are at the bottom; ? explains them, q ends it
  sudo retrans-host top --peer 10.0.0.0/8 --record-dir /var/tmp
  sudo retrans-host top --plugin threshold-alert --set threshold=50
  retrans-host top lossy.rtc --speed 10x           a capture, ten times as fast as it was recorded
  retrans-host top lossy.rtc.1 lossy.rtc --speed max
  retrans-host top nats://broker:4222 --kind timeout                         what the hosts of a fleet publish
  ssh web1 sudo retrans-host --record - | retrans-host top -";

/// Of `demo`.
pub const DEMO: &str = "\
Examples:
  sudo retrans-host demo                           takes some five seconds
  sudo retrans-host demo --quiet --dir /var/tmp/retrans-demo

The demo makes two network namespaces with a link between them, sends data over 13 connections while every eighth \
segment is lost, and watches these namespaces alone. They are gone when it ends. It compares what was seen with the \
kernel's own counter. Exit codes: 0 if they agree; 1 if not, or if it cannot run here.";

/// Of `check`, and its exit codes.
pub const CHECK: &str = "\
Examples:
  sudo retrans-host check
  sudo retrans-host check --live                   before a service is started, or in the build of an image
  sudo retrans-host check --json | jq -r '.checks[] | select(.met | not) | .why'

Exit codes: 0 if the host can run and, with --live, the probe has seen the retransmit; 1 if not.";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  source <(retrans-host completions bash)
  retrans-host completions bash > /usr/local/share/bash-completion/completions/retrans-host
  retrans-host completions zsh > /usr/local/share/zsh/site-functions/_retrans-host
  retrans-host completions fish > ~/.config/fish/completions/retrans-host.fish";

/// Of `man`.
pub const MAN: &str = "\
Examples:
  retrans-host man | man -l -
  sudo retrans-host man --dir /usr/local/share/man/man1";

/// Of `generate`.
pub const GENERATE: &str = "\
Examples:
  retrans-host generate test.rtc --events 1M --connections 5k --seed 7 --gaps
  retrans-host replay test.rtc --plugin ./mine.wasm";

/// Of `export`.
pub const EXPORT: &str = "\
Examples:
  retrans-host export lossy.rtc --to csv -o lossy.csv
  retrans-host export lossy.rtc --to csv --fields timestamp,destination.ip,retransmit.kind,tcp.rto_us
  retrans-host export lossy.rtc.1 lossy.rtc --to pcapng -o lossy.pcapng && wireshark lossy.pcapng
  retrans-host export events.jsonl --to pcapng --peer 10.0.0.0/8 --kind timeout | tshark -r -
  sudo retrans-host --record - | retrans-host export - --to pcapng | wireshark -k -i -";

/// Of `plugin`.
pub const PLUGIN: &str = "\
Examples:
  retrans-host plugin new slow-peers --alert
  retrans-host plugin list --dir /etc/retrans-host/plugins
  retrans-host plugin describe threshold-alert
  retrans-host plugin describe ./mine.wasm --json | jq '.settings[].key'
  retrans-host plugin pull oci://ghcr.io/example/slow-peers:1.2 --verify-key author.pub
  retrans-host plugin test ./mine.wasm --set threshold=5 --events sample.rtc --expect sample.expected --bless
  retrans-host plugin test ./mine.wasm --set threshold=5 --events sample.rtc --expect sample.expected
  retrans-host plugin explain ./filter.wasm --set port=443 threshold-alert --events sample.rtc
  retrans-host plugin diff old.wasm new.wasm --events yesterday.rtc
  retrans-host plugin bench new.wasm --compare old.wasm
  retrans-host plugin profile slow.wasm --events yesterday.rtc --folded - | inferno-flamegraph > slow.svg";
