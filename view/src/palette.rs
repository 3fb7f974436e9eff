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
    /// The colour, on a dark background.
    pub colour: Colour,
    /// The colour on a light background: red, green and blue.
    pub light: [u8; 3],
}

/// The look of every cause, in the order in which they are stacked: the first is at the bottom.
///
/// The colours are those of Okabe and Ito ("Color Universal Design", 2008); on a light background darker ones, of which any
/// two differ as clearly.
#[rustfmt::skip]
pub const LOOKS: [Look; 8] = [
    look(Some(Kind::Timeout), "timeout", 't', [0xd5, 0x5e, 0x00], 166, 1, [0xb8, 0x28, 0x0d]),
    look(Some(Kind::LossRecovery), "loss_recovery", 'r', [0xe6, 0x9f, 0x00], 178, 3, [0xd9, 0x7c, 0x00]),
    look(Some(Kind::Fast), "fast", 'f', [0x56, 0xb4, 0xe9], 74, 6, [0x2e, 0x8d, 0xea]),
    look(Some(Kind::TailLossProbe), "tail_loss_probe", 'p', [0x00, 0x9e, 0x73], 36, 2, [0x00, 0x6e, 0x58]),
    look(Some(Kind::Syn), "syn", 's', [0xcc, 0x79, 0xa7], 175, 5, [0x98, 0x4d, 0xa3]),
    look(Some(Kind::SynAck), "syn_ack", 'a', [0x00, 0x72, 0xb2], 25, 4, [0x25, 0x3c, 0x7e]),
    look(Some(Kind::Unknown), "unknown", 'u', [0x99, 0x99, 0x99], 246, 7, [0x85, 0x85, 0x85]),
    look(None, "other", 'o', [0x66, 0x66, 0x66], 241, 8, [0x2a, 0x2a, 0x2a]),
];

#[rustfmt::skip]
const fn look(
    kind: Option<Kind>, name: &'static str, letter: char, rgb: [u8; 3], indexed: u8, basic: u8, light: [u8; 3],
) -> Look {
    Look { kind, name, letter, colour: Colour { rgb, indexed, basic }, light }
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

    type Vector = [f64; 3];

    /// How colours look to most people, and to those without one kind of cone (Machado, Oliveira and Fernandes, 2009).
    const EYES: [[Vector; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    ];

    fn times(matrix: &[Vector; 3], vector: Vector) -> Vector {
        matrix.map(|row| row.iter().zip(vector).map(|(one, other)| one * other).sum())
    }

    fn linear(rgb: [u8; 3]) -> Vector {
        rgb.map(|value| match f64::from(value) / 255.0 {
            value if value <= 0.04045 => value / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        })
    }

    /// The place of a colour in Oklab, where distances are as people see them.
    fn oklab(linear: Vector) -> Vector {
        let cones = [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ];
        let lab = [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ];
        let bounded = linear.map(|value| value.clamp(0.0, 1.0));
        times(&lab, times(&cones, bounded).map(f64::cbrt))
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let luminance = |colour| {
            let [red, green, blue] = linear(colour);
            0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
        };
        let (one, other) = (luminance(one), luminance(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn any_two_causes_differ_for_all_eyes_and_each_stands_out() {
        // The pages of a report, and the number of colours that are compared: on the dark one those of the known causes,
        // without the two greys.
        let sides = [
            (
                [0xff, 0xff, 0xff],
                LOOKS.map(|look| look.light),
                LOOKS.len(),
                0.09,
            ),
            (
                [0x14, 0x17, 0x1a],
                LOOKS.map(|look| look.colour.rgb),
                6,
                0.07,
            ),
        ];
        for (page, colours, compared, least) in sides {
            for (number, colour) in colours.iter().enumerate() {
                let name = LOOKS[number].name;
                // WCAG 2.1 asks for 3 of what is drawn.
                let contrast = contrast(*colour, page);
                assert!(contrast >= 3.0, "{name} on {page:x?}: {contrast}");
                let before = &colours[..number];
                for (other_number, other) in before.iter().enumerate() {
                    if number >= compared {
                        continue;
                    }
                    for eyes in &EYES {
                        let seen = |colour| oklab(times(eyes, linear(colour)));
                        let pairs = seen(*colour).into_iter().zip(seen(*other));
                        let squares = pairs.map(|(one, other)| (one - other).powi(2));
                        let distance = squares.sum::<f64>().sqrt();
                        let other = LOOKS[other_number].name;
                        assert!(distance > least, "{name}, {other} on {page:x?}: {distance}");
                    }
                }
            }
        }
    }

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
