//! `top` on the live probe: what is on the screen is what the kernel counts.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use serde_json::Value;

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::screens::Screen;
use crate::support::captures::Directory;
use crate::support::lab::Lab;
use crate::support::lab::RECEIVER_V4;
use crate::support::lab::RECEIVER_V6;
use crate::support::oracle::Nstat;
use crate::support::root_test;

const SIZE: (u16, u16) = (100, 30);

/// A value of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .context("it is there")?
        .trim_start_matches(':')
        .trim()
        .to_owned())
}

#[test]
fn root_segments_on_the_screen_and_in_its_recording_are_those_of_the_kernel() -> Result<()> {
    root_test(|_| {
        let directory = Directory::new()?;
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let captures = directory.file("captures");
        fs::create_dir(&captures)?;
        let command = host(
            directory.path(),
            &[
                "top",
                "--netns",
                &netns,
                "--census",
                "1s",
                "--record-dir",
                &captures,
            ],
        );
        let mut screen = Screen::run(&command, SIZE);
        screen.wait_for("no event yet");
        screen.wait_for("watching TCP retransmits (btf");
        screen.press("r");
        screen.wait_for("REC 0 events");
        lab.lossy_transfer()?;
        let segments = Nstat::of(&lab.sender)?.retransmitted_segments()?;
        screen.wait_for(&format!("{segments} segs"));
        screen.wait_until("a census", |text| {
            text.contains("census ") && text.contains('%')
        });
        screen.wait_until("a row of each peer", |text| {
            [RECEIVER_V4.to_string(), RECEIVER_V6.to_string()]
                .iter()
                .all(|peer| text.lines().any(|line| line.ends_with(peer)))
        });
        // This process has the sockets.
        screen.press("2");
        screen.wait_for(&format!("[{}]", std::process::id()));
        screen.press("4");
        screen.wait_for("CONNECTION (3)");
        screen.press("\r");
        screen.wait_for("events of ");
        screen.press("\x1br");
        screen.wait_for("rec off");
        let counted = screen.line(1);
        // It is confined as a watch is: the terminal is used nevertheless.
        let pid = screen.pid();
        assert_eq!(status(pid, "NoNewPrivs")?, "1");
        assert_eq!(status(pid, "Seccomp")?, "2");
        screen.press("q");
        let left = screen.left();
        assert_eq!(left.status.code(), Some(0), "{}", left.text);

        let mut files = fs::read_dir(&captures)?;
        let file = files.next().context("a recording")??.path();
        assert!(files.next().is_none(), "one recording");
        assert_eq!(summed(&file)?, segments, "{counted}");
        Ok(())
    })
}

/// Segments of the events of a capture, as `inspect` sums them.
fn summed(file: &Path) -> Result<u64> {
    let name = file.to_string_lossy();
    let (json, _) = ran(&mut host(
        Path::new("/"),
        &["inspect", &name, "--json", "--by", "kind"],
    ));
    let inspected: Value = serde_json::from_str(&json)?;
    let rows = inspected["by"][0]["top"].as_array().context("rows")?;
    Ok(rows.iter().filter_map(|row| row["segments"].as_u64()).sum())
}

#[test]
fn root_an_error_of_the_start_is_on_the_terminal_itself() -> Result<()> {
    root_test(|_| {
        let directory = Directory::new()?;
        let command = host(directory.path(), &["top", "--plugin", "./missing.wasm"]);
        let screen = Screen::run(&command, SIZE);
        screen.wait_for("error: ");
        assert!(!String::from_utf8_lossy(&screen.bytes()).contains("\x1b[?1049h"));
        let left = screen.left();
        assert_eq!(left.status.code(), Some(1), "{}", left.text);
        assert!(left.text.contains("missing.wasm"), "{}", left.text);
        Ok(())
    })
}

#[test]
fn root_a_recording_that_cannot_be_made_is_an_error_on_the_screen() -> Result<()> {
    root_test(|_| {
        let directory = Directory::new()?;
        let lab = Lab::new()?;
        let netns = lab.sender.inode().to_string();
        let captures = directory.file("captures");
        fs::create_dir(&captures)?;
        // A configuration file holds for top as well.
        let file = directory.file("config.toml");
        fs::write(&file, format!("[filter]\nnetns = [\"{netns}\"]\n"))?;
        let arguments = ["top", "-c", &file, "--no-census", "--record-dir", &captures];
        let command = host(directory.path(), &arguments);
        let mut screen = Screen::run(&command, SIZE);
        screen.wait_for("no census");
        fs::remove_dir(&captures)?;
        screen.press("r");
        screen.wait_for("REC FAILED: cannot record to ");
        // The view goes on.
        lab.five_fast_retransmits(RECEIVER_V4)?;
        screen.wait_for("5 segs");
        screen.press("q");
        assert_eq!(screen.left().status.code(), Some(0));
        Ok(())
    })
}
