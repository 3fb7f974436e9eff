//! The command `demo`: what it says agrees with the kernel, its files can be used, and it refuses what it cannot do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use anyhow::Context;
use anyhow::Result;

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::refusal::BINARY;
use crate::support::captures::Directory;
use crate::support::netns::command;
use crate::support::root_test;

/// Text of an output.
fn text(bytes: Vec<u8>) -> Result<String> {
    Ok(String::from_utf8(bytes)?)
}

/// Checks that the host has failed with one error that has these words.
fn assert_failed(output: Output, words: &[&str]) -> Result<()> {
    let stderr = text(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    for word in words {
        assert!(errors[0].contains(word), "{stderr}");
    }
    Ok(())
}

/// The number before a word in a text.
fn number_before(text: &str, word: &str) -> Option<u64> {
    text.split(word)
        .next()?
        .split_whitespace()
        .last()?
        .parse()
        .ok()
}

#[test]
fn root_it_shows_what_the_kernel_counted_and_leaves_files_that_can_be_used() -> Result<()> {
    root_test(|_| {
        let directory = Directory::new()?;
        let files = directory.file("demo");
        // Also where files of an earlier demo are.
        fs::create_dir(&files)?;
        fs::write(Path::new(&files).join("demo.rtc"), "no capture")?;
        let (stdout, stderr) = ran(&mut host(directory.path(), &["demo", "--dir", &files]));
        let (columns, said) = stdout.split_once("\nIn ").context("the last words")?;
        let segments =
            number_before(said, " segments, as many as the kernel").context("segments")?;
        // Each of 13 connections sends 80 segments; a loss is sent again.
        assert_eq!(
            number_before(said, " segments that were sent"),
            Some(1_040 + segments),
            "{said}"
        );
        assert_eq!(number_before(said, " connections: "), Some(13), "{said}");
        assert!(
            number_before(said, " alerts were raised") >= Some(2),
            "{said}"
        );
        // Seven new segments in eight arrive, so that at least a seventh of them is sent again.
        assert!(segments >= 1_040 / 8, "{said}");
        let events = number_before(said, " retransmits of ").context("events")?;
        let rows = columns
            .lines()
            .filter(|line| line.contains("10.7.0.") || line.contains("fd00:7::"));
        assert_eq!(rows.count() as u64, events, "{columns}");
        assert!(stderr.contains("ledger: kernel entered="), "{stderr}");

        let page = Path::new(&files).join("report.html");
        assert!(fs::read_to_string(&page)?.contains("</html>"));
        assert_eq!(fs::metadata(&page)?.permissions().mode() & 0o777, 0o644);
        let capture = format!("{files}/demo.rtc");
        assert!(
            said.contains(&format!("retrans-host top {capture} --speed 1x")),
            "{said}"
        );
        let (json, _) = ran(&mut host(
            directory.path(),
            &["inspect", &capture, "--json"],
        ));
        let inspected: serde_json::Value = serde_json::from_str(&json)?;
        assert_eq!(inspected["segments"].as_u64(), Some(segments), "{json}");
        Ok(())
    })
}

#[test]
fn root_without_nft_it_says_which_package_is_missing() -> Result<()> {
    root_test(|_| {
        let directory = Directory::new()?;
        // In a mount namespace of its own, in which no folder of the search path has the program.
        let hide = "for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do \
            if test -f $folder/nft; then mount --bind /dev/null $folder/nft || exit; fi; done; exec \"$0\" \"$@\"";
        let output = command("unshare")
            .args(["--mount", "sh", "-c", hide, BINARY, "demo", "--dir"])
            .arg(directory.path())
            .output()?;
        assert_failed(output, &["`nft`", "apt-get install nftables"])
    })
}

#[test]
fn root_another_user_is_told_to_be_root() -> Result<()> {
    root_test(|_| {
        let output = Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                BINARY,
                "demo",
            ])
            .output()?;
        assert_failed(output, &["sudo retrans-host demo"])
    })
}
