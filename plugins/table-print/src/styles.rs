//! Colours, as SGR sequences of terminals.

use retrans_plugin_sdk::prelude::*;

/// Ends all of them.
pub(crate) const END: &str = "\x1b[0m";

/// The heading: bold.
pub(crate) const HEADING: &str = "\x1b[1m";

/// An attempt that failed: red, which no cause is.
pub(crate) const FAILED: &str = "\x1b[31m";

/// The colour of a cause: that of the palette of 256 colours which the host's own views have for it.
pub(crate) fn of(kind: Kind) -> &'static str {
    match kind {
        Kind::Fast => "\x1b[38;5;74m",
        Kind::TailLossProbe => "\x1b[38;5;36m",
        Kind::Timeout => "\x1b[38;5;166m",
        Kind::LossRecovery => "\x1b[38;5;178m",
        Kind::Syn => "\x1b[38;5;175m",
        Kind::SynAck => "\x1b[38;5;25m",
        Kind::Unknown => "\x1b[38;5;246m",
        Kind::Other(_) => "\x1b[38;5;241m",
    }
}

#[cfg(test)]
mod tests {
    use retrans_view::palette::LOOKS;

    use super::*;

    #[test]
    fn the_colours_are_those_of_the_views() {
        for look in LOOKS {
            let expected = format!("\x1b[38;5;{}m", look.colour.indexed);
            assert_eq!(of(look.kind.unwrap_or(Kind::Other(99))), expected);
        }
    }
}
