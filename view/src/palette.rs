//! The look of each cause: a colour that people with any colour vision tell from the others, on a light and on a dark
//! background, and a letter where there are no colours.

use retrans_event::Kind;

/// A colour, and the nearest ones that terminals with fewer colours have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Red, green and blue.
    pub rgb: [u8; 3],
    /// Number in the palette of 256 colours of xterm.
    pub indexed: u8,
    /// Number in the palette of 16 colours.
    pub basic: u8,
}

impl Colour {
    /// The colour as CSS and SVG write it, such as `#0072b2`.
    pub fn css(self) -> String {
        let [red, green, blue] = self.rgb;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

/// How a cause is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The cause; `None`: all those that this version does not know.
    pub kind: Option<Kind>,
    /// The name, as in the JSON form.
    pub name: &'static str,
    /// A letter that no other cause has.
    pub letter: char,
    /// The colour.
    pub colour: Colour,
}

/// The look of every cause, in the order in which they are stacked: the first is at the bottom.
///
/// The colours are those of Okabe and Ito ("Color Universal Design", 2008).
pub const LOOKS: [Look; 8] = [
    look(
        Some(Kind::Timeout),
        "timeout",
        't',
        [0xd5, 0x5e, 0x00],
        166,
        1,
    ),
    look(
        Some(Kind::LossRecovery),
        "loss_recovery",
        'r',
        [0xe6, 0x9f, 0x00],
        178,
        3,
    ),
    look(Some(Kind::Fast), "fast", 'f', [0x56, 0xb4, 0xe9], 74, 6),
    look(
        Some(Kind::TailLossProbe),
        "tail_loss_probe",
        'p',
        [0x00, 0x9e, 0x73],
        36,
        2,
    ),
    look(Some(Kind::Syn), "syn", 's', [0xcc, 0x79, 0xa7], 175, 5),
    look(
        Some(Kind::SynAck),
        "syn_ack",
        'a',
        [0x00, 0x72, 0xb2],
        25,
        4,
    ),
    look(
        Some(Kind::Unknown),
        "unknown",
        'u',
        [0x99, 0x99, 0x99],
        246,
        7,
    ),
    look(None, "other", 'o', [0x66, 0x66, 0x66], 241, 8),
];

#[rustfmt::skip]
const fn look(kind: Option<Kind>, name: &'static str, letter: char, rgb: [u8; 3], indexed: u8, basic: u8) -> Look {
    Look { kind, name, letter, colour: Colour { rgb, indexed, basic } }
}

/// The look of a cause.
pub fn look_of(kind: Kind) -> &'static Look {
    let own = LOOKS.iter().find(|look| look.kind == Some(kind));
    own.unwrap_or(&LOOKS[LOOKS.len() - 1])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_cause_has_a_look_of_its_own() {
        for kind in Kind::ALL {
            let look = look_of(*kind);
            assert_eq!(look.kind, Some(*kind));
            assert_eq!(Some(look.name), kind.name());
        }
        assert_eq!(LOOKS.len(), Kind::ALL.len() + 1);
        assert_eq!(look_of(Kind::Other(99)).name, "other");
        let letters: HashSet<_> = LOOKS.iter().map(|look| look.letter).collect();
        let colours: HashSet<_> = LOOKS.iter().map(|look| look.colour.css()).collect();
        let indexed: HashSet<_> = LOOKS.iter().map(|look| look.colour.indexed).collect();
        let basic: HashSet<_> = LOOKS.iter().map(|look| look.colour.basic).collect();
        for number in [letters.len(), colours.len(), indexed.len(), basic.len()] {
            assert_eq!(number, LOOKS.len());
        }
        assert_eq!(look_of(Kind::SynAck).colour.css(), "#0072b2");
    }
}
