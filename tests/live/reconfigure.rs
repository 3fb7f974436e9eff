//! The configuration file is read again at SIGHUP, by a host in its sandbox: plugins join and leave, and no event is lost.

use std::fs;

use anyhow::Context as _;
use anyhow::Result;
use rustix::process::Signal;

use crate::receivers::alertmanager::Alertmanager;
use crate::receivers::receiver::Receiver;
use crate::support::Root;
use crate::support::captures::Directory;
use crate::support::expect::kinds;
use crate::support::host::Host;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::oracle::Nstat;
use crate::support::oracle::wait_until;
use crate::support::root_test;

/// The chain of the start.
const PRINTER: &str = "[[plugin]]\nfile = \"json-print\"\n";

/// A plugin before it.
const ALERT: &str =
    "[[plugin]]\nfile = \"threshold-alert\"\nsettings = { threshold = 5, key = [\"peer\"] }\n";

/// A host with a configuration file.
struct Configured {
    host: Host,
    file: String,
    /// Lines of standard error that were read.
    read: usize,
}

impl Configured {
    /// Starts a host with this file.
    fn start(root: &Root, file: String, text: &str) -> Result<Configured> {
        fs::write(&file, text)?;
        let host = Host::start(root, &["-c", &file])?;
        Ok(Configured {
            host,
            file,
            read: 0,
        })
    }

    /// Replaces the file, sends SIGHUP, and waits for a line with this text.
    fn reconfigure(&mut self, text: &str, expected: &str) -> Result<String> {
        fs::write(&self.file, text)?;
        self.read = self.host.said().len();
        self.host.signal(Signal::HUP)?;
        self.wait_for(expected)
    }

    fn wait_for(&self, expected: &str) -> Result<String> {
        let found = || {
            let said = self.host.said().into_iter().skip(self.read);
            said.into_iter().find(|line| line.contains(expected))
        };
        let waited = wait_until(expected, || Ok(found().is_some()));
        waited.with_context(|| format!("{:#?}", self.host.said()))?;
        found().context("it is there")
    }
}

#[test]
fn root_plugins_join_and_leave_at_sighup_and_all_retransmits_are_seen() -> Result<()> {
    root_test(|root| {
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        let file = directory.file("config.toml");
        let netns = lab.sender.inode().to_string();
        let filter = format!("[filter]\nnetns = [\"{netns}\"]\n");
        fs::write(&file, format!("{filter}{PRINTER}"))?;
        let host = Host::start(root, &["-c", &file, "--alerts", "json"])?;
        let mut configured = Configured {
            host,
            file: file.clone(),
            read: 0,
        };
        let first = lab.five_fast_retransmits(RECEIVER_V4)?;
        configured.reconfigure(
            &format!("{filter}{ALERT}{PRINTER}"),
            "the plugins are now threshold-alert, json-print",
        )?;
        let second = lab.five_fast_retransmits(RECEIVER_V4)?;
        configured.wait_for("5 segments retransmitted to 10.7.0.2")?;

        // A mistake, and a plugin that does not start: all stays as it is.
        let text = format!("{filter}{ALERT}{PRINTER}colour = \"red\"\n");
        let line = configured.reconfigure(&text, "the running configuration stays")?;
        assert!(
            line.contains("config.toml:8: plugin[2].colour: there is no such key"),
            "{line}"
        );
        let text = format!("{filter}[[plugin]]\nfile = \"./missing.wasm\"\n");
        let line = configured.reconfigure(&text, "the running plugins stay")?;
        assert!(line.contains("missing.wasm"), "{line}");
        // What was given up with the sandbox.
        let text = format!("ring-size = \"1MiB\"\n{filter}{ALERT}{PRINTER}");
        let line = configured.reconfigure(&text, "needs a restart")?;
        assert!(
            line.contains("config.toml: ring-size has changed"),
            "{line}"
        );
        let text = format!("{filter}[[plugin]]\nfile = \"ratio-alert\"\n{PRINTER}");
        let line = configured.reconfigure(&text, "the running plugins stay")?;
        assert!(line.contains("ratio-alert asks for a census"), "{line}");
        let text = format!("{filter}{ALERT}{PRINTER}");
        configured.reconfigure(&text, "the configuration has not changed")?;

        configured.reconfigure(
            &format!("{filter}{PRINTER}"),
            "the plugins are now json-print",
        )?;
        let third = lab.five_fast_retransmits(RECEIVER_V4)?;
        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        let run = configured.host.stop()?;
        drop((first, second, third));

        let events = run.retransmits_in(&lab.sender)?;
        assert_eq!(kinds(&events), ["fast"; 15]);
        assert_eq!(segments, 15);
        let alerts = run.of_type("alert")?;
        let states: Vec<_> = alerts.iter().map(|alert| &alert["state"]).collect();
        assert_eq!(states, ["firing", "resolved"], "{alerts:#?}");
        let plugin = |name: &str| {
            let start = format!("ledger: plugin {name} in=");
            let line = run.stderr.iter().find(|line| line.starts_with(&start));
            line.map(|line| line[start.len()..].to_owned())
        };
        let counted = "5 kept=5 dropped=0 passed_unseen=0 lost=0";
        assert_eq!(plugin("threshold-alert").as_deref(), Some(counted));
        let counted = "15 kept=15 dropped=0 passed_unseen=0 lost=0";
        assert_eq!(plugin("json-print").as_deref(), Some(counted));
        let unbalanced = run
            .stderr
            .iter()
            .any(|line| line.contains("does not balance"));
        assert!(!unbalanced, "{:#?}", run.stderr);
        Ok(())
    })
}

/// A sink.
fn sink(kind: &str, url: &str) -> String {
    format!("[[sink]]\ntype = \"{kind}\"\nurl = \"{url}\"\n")
}

#[test]
fn root_sinks_join_and_leave_at_sighup_and_those_that_stay_send_nothing_twice() -> Result<()> {
    root_test(|root| {
        let (alertmanager, other) = (Alertmanager::start(), Alertmanager::start());
        let webhook = Receiver::start(&[]);
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        let start = format!(
            "[filter]\nnetns = [\"{}\"]\n{ALERT}{}name = \"stays\"\n",
            lab.sender.inode(),
            sink("alertmanager", &alertmanager.url())
        );
        let leaves = format!("{}name = \"leaves\"\n", sink("alertmanager", &other.url()));
        let mut host = Configured::start(
            root,
            directory.file("config.toml"),
            &format!("{start}{leaves}"),
        )?;
        let first = lab.five_fast_retransmits(RECEIVER_V4)?;
        alertmanager.wait_for(&["retransmit-threshold"]);
        other.wait_for(&["retransmit-threshold"]);

        // A webhook joins, in the sandbox. Its file is beside the configuration file.
        fs::write(directory.file("token"), "of the webhook\n")?;
        let joins = format!(
            "{}token-file = \"token\"\n",
            sink("webhook", &webhook.url())
        );
        host.reconfigure(
            &format!("{start}{leaves}{joins}"),
            "the sinks are now: stays, leaves, webhook (started: webhook; ended: none)",
        )?;
        // One that leaves has a line in the ledger.
        host.reconfigure(
            &format!("{start}{joins}"),
            "the sinks are now: stays, webhook (started: none; ended: leaves)",
        )?;
        let second = lab.five_fast_retransmits(RECEIVER_V6)?;
        let requests = webhook.wait_for(1);
        assert_eq!(
            requests[0].body()["labels"]["peer"],
            RECEIVER_V6.to_string()
        );
        assert_eq!(
            requests[0].header("authorization"),
            Some("Bearer of the webhook")
        );
        alertmanager.wait_for(&["retransmit-threshold", "retransmit-threshold"]);

        // Mistakes, and what the sandbox does not allow: all stays as it is.
        let wrong = sink("webhook", "nowhere").replace("webhook\"", "webhook\"\nname = \"more\"");
        let line = host.reconfigure(
            &format!("{start}{joins}{wrong}"),
            "the running configuration stays",
        )?;
        assert!(line.contains("sink more: the URL of the webhook"), "{line}");
        let elsewhere = Directory::new()?;
        fs::write(elsewhere.file("token"), "of another directory\n")?;
        let wrong = format!(
            "{}name = \"more\"\ntoken-file = \"{}\"\n",
            sink("webhook", &webhook.url()),
            elsewhere.file("token")
        );
        let line = host.reconfigure(
            &format!("{start}{joins}{wrong}"),
            "the running configuration stays",
        )?;
        let expected = "Permission denied (os error 13); the sandbox allows only the directories";
        assert!(line.contains(expected), "{line}");
        host.reconfigure(
            &format!("{start}{joins}"),
            "the configuration has not changed",
        )?;

        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        let run = host.host.stop()?;
        drop((first, second));
        run.ledger.assert_complete();
        assert_eq!((segments, run.ledger.host.get("delivered")), (10, 10));
        let counts = |name: String| {
            let sink = run.ledger.sinks.get(&name);
            let sink = sink.with_context(|| format!("{name}: {:#?}", run.stderr))?;
            anyhow::Ok(["in", "sent", "queued", "dropped", "failed"].map(|name| sink.get(name)))
        };
        let [stays, leaves] = [("stays", &alertmanager), ("leaves", &other)]
            .map(|(name, receiver)| format!("{name}/127.0.0.1:{}", receiver.port));
        assert_eq!(counts(stays)?, [2, 2, 0, 0, 0]);
        assert_eq!(counts(leaves)?, [1, 1, 0, 0, 0]);
        let added = format!("webhook/127.0.0.1:{}", webhook.port);
        assert_eq!(counts(added)?, [1, 1, 0, 0, 0]);
        assert_eq!(webhook.requests().len(), 1);
        Ok(())
    })
}

#[test]
fn root_files_of_sinks_are_read_again_at_sighup_in_directories_that_were_named_at_the_start()
-> Result<()> {
    root_test(|root| {
        let webhook = Receiver::start(&[]);
        let lab = Lab::new()?;
        let (directory, elsewhere) = (Directory::new()?, Directory::new()?);
        let template = elsewhere.file("template");
        fs::write(&template, "{\"first\": {{ name }}}")?;
        let text = format!(
            "[filter]\nnetns = [\"{}\"]\n{ALERT}{}template-file = \"{template}\"\n",
            lab.sender.inode(),
            sink("webhook", &webhook.url())
        );
        let mut host = Configured::start(root, directory.file("config.toml"), &text)?;
        host.reconfigure(&text, "the configuration has not changed")?;
        fs::write(&template, "{\"second\": {{ name }}}")?;
        host.reconfigure(
            &text,
            "the sinks are now: webhook (started: webhook; ended: webhook)",
        )?;
        lab.five_fast_retransmits(RECEIVER_V4)?;
        let requests = webhook.wait_for(1);
        assert_eq!(requests[0].body()["second"], "retransmit-threshold");
        let run = host.host.stop()?;
        run.ledger.assert_complete();
        let name = format!("webhook/127.0.0.1:{}", webhook.port);
        let sink = run.ledger.sinks.get(&name);
        let sink = sink.with_context(|| format!("{:#?}", run.stderr))?;
        assert_eq!((sink.get("in"), sink.get("sent")), (1, 1));
        Ok(())
    })
}

#[test]
fn root_a_sink_where_there_was_none_needs_a_restart() -> Result<()> {
    root_test(|root| {
        let webhook = Receiver::start(&[]);
        let lab = Lab::new()?;
        let directory = Directory::new()?;
        let start = format!("[filter]\nnetns = [\"{}\"]\n{ALERT}", lab.sender.inode());
        let mut host = Configured::start(root, directory.file("config.toml"), &start)?;
        let line = host.reconfigure(
            &format!("{start}{}", sink("webhook", &webhook.url())),
            "needs a restart",
        )?;
        assert!(
            line.contains(
                "config.toml: sink has changed, and there was none over the network at the start"
            ),
            "{line}"
        );
        lab.five_fast_retransmits(RECEIVER_V4)?;
        host.wait_for("5 segments retransmitted to 10.7.0.2")?;
        let run = host.host.stop()?;
        run.ledger.assert_complete();
        assert!(run.ledger.sinks.is_empty(), "{:#?}", run.stderr);
        assert!(webhook.requests().is_empty());
        Ok(())
    })
}
