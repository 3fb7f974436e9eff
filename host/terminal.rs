//! What a terminal is shown: this is the only place that decides about colours.

use std::env;
use std::io;
use std::io::IsTerminal as _;
use std::io::Stderr;

use anstream::AutoStream;
use anstream::ColorChoice;

/// May there be colours, on a terminal? The libraries would each ask other variables besides, such as
/// CLICOLOR_FORCE and CI.
pub fn colours() -> bool {
    let variable = |name| env::var_os(name).unwrap_or_default();
    variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

/// Are there colours on standard error?
pub fn stderr_has_colours() -> bool {
    colours() && io::stderr().is_terminal()
}

/// Standard error for what has colours: they are left out where they are not wanted.
pub fn stderr() -> AutoStream<Stderr> {
    let choice = match stderr_has_colours() {
        true => ColorChoice::Always,
        false => ColorChoice::Never,
    };
    AutoStream::new(io::stderr(), choice)
}
