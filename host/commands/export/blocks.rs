//! The four blocks of a pcapng file that an export needs, as draft-ietf-opsawg-pcapng specifies them. All numbers are
//! little-endian.

use std::io;
use std::io::Write;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// From which a reader tells the order of bytes.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Major and minor number of the format.
const VERSION: [u16; 2] = [1, 0];

/// A section whose length is not known before it ends.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// Packets begin with the header of IPv4 or IPv6 (LINKTYPE_RAW).
const LINK_TYPE: u16 = 101;

/// The unit of times: 10⁻⁹ s.
const RESOLUTION: u8 = 9;

/// The direction in `epb_flags`.
const OUTBOUND: u32 = 2;

/// Codes of options. They mean different things in different blocks.
mod code {
    pub const END: u16 = 0;
    pub const COMMENT: u16 = 1;
    pub const SECTION_OS: u16 = 3;
    pub const SECTION_APPLICATION: u16 = 4;
    pub const INTERFACE_NAME: u16 = 2;
    pub const INTERFACE_DESCRIPTION: u16 = 3;
    pub const INTERFACE_RESOLUTION: u16 = 9;
    pub const INTERFACE_OS: u16 = 12;
    pub const PACKET_FLAGS: u16 = 2;
    pub const PACKET_DROPPED: u16 = 4;
    pub const STATISTICS_RECEIVED: u16 = 4;
    pub const STATISTICS_DROPPED: u16 = 5;
}

/// Longest text of an option in bytes.
const MAX_TEXT: usize = u16::MAX as usize;

/// What is said about a file as a whole. A text that is empty is left out.
#[derive(Debug, Default)]
pub struct Section<'a> {
    pub comment: &'a str,
    pub os: &'a str,
    pub application: &'a str,
}

/// What is said about an interface.
#[derive(Debug, Default)]
pub struct Interface<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub os: &'a str,
    /// Maximum number of bytes of a packet that are captured.
    pub captured: u32,
}

/// A packet.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The number of its interface.
    pub interface: u32,
    /// Time since 1970-01-01T00:00:00Z in ns.
    pub time: u64,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// The length of the whole packet in bytes.
    pub length: u32,
    /// Number of packets that were lost between the packet before it on this interface and this one.
    pub lost: u64,
    pub comment: &'a str,
}

/// The numbers of packets of an interface.
#[derive(Debug)]
pub struct Statistics {
    /// The number of the interface.
    pub interface: u32,
    /// Time since 1970-01-01T00:00:00Z in ns.
    pub time: u64,
    pub received: u64,
    pub lost: u64,
}

/// Writes blocks.
pub struct Blocks<W> {
    to: W,
    /// The block that is being written.
    block: Vec<u8>,
}

impl<W: Write> Blocks<W> {
    pub fn new(to: W) -> Blocks<W> {
        Blocks {
            to,
            block: Vec::new(),
        }
    }

    /// Begins a section. A file begins with one.
    pub fn section(&mut self, section: &Section<'_>) -> io::Result<()> {
        self.begin(SECTION_HEADER);
        self.put(BYTE_ORDER.to_le_bytes());
        self.put(VERSION[0].to_le_bytes());
        self.put(VERSION[1].to_le_bytes());
        self.put(UNKNOWN_LENGTH.to_le_bytes());
        self.text(code::COMMENT, section.comment);
        self.text(code::SECTION_OS, section.os);
        self.text(code::SECTION_APPLICATION, section.application);
        self.end()
    }

    /// Describes the next interface. They are numbered from 0.
    pub fn interface(&mut self, interface: &Interface<'_>) -> io::Result<()> {
        self.begin(INTERFACE_DESCRIPTION);
        self.put(LINK_TYPE.to_le_bytes());
        self.put([0; 2]);
        self.put(interface.captured.to_le_bytes());
        self.text(code::INTERFACE_NAME, interface.name);
        self.text(code::INTERFACE_DESCRIPTION, interface.description);
        self.option(code::INTERFACE_RESOLUTION, &[RESOLUTION]);
        self.text(code::INTERFACE_OS, interface.os);
        self.end()
    }

    /// Writes a packet that was sent.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.begin(ENHANCED_PACKET);
        self.put(packet.interface.to_le_bytes());
        self.time(packet.time);
        self.put((packet.bytes.len() as u32).to_le_bytes());
        self.put(packet.length.to_le_bytes());
        self.block.extend_from_slice(packet.bytes);
        self.pad();
        self.option(code::PACKET_FLAGS, &OUTBOUND.to_le_bytes());
        if packet.lost > 0 {
            self.option(code::PACKET_DROPPED, &packet.lost.to_le_bytes());
        }
        self.text(code::COMMENT, packet.comment);
        self.end()
    }

    /// Writes the numbers of packets of an interface.
    pub fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        self.begin(INTERFACE_STATISTICS);
        self.put(statistics.interface.to_le_bytes());
        self.time(statistics.time);
        let received = statistics.received.to_le_bytes();
        self.option(code::STATISTICS_RECEIVED, &received);
        self.option(code::STATISTICS_DROPPED, &statistics.lost.to_le_bytes());
        self.end()
    }

    /// Flushes the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.put(kind.to_le_bytes());
        // The length, see `end`.
        self.put([0; 4]);
    }

    /// Ends the options, of which every block here has some, and writes the block.
    fn end(&mut self) -> io::Result<()> {
        self.option(code::END, &[]);
        // The length is at both ends.
        let length = (self.block.len() + 4) as u32;
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.put(length.to_le_bytes());
        self.to.write_all(&self.block)
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.block.extend_from_slice(&bytes);
    }

    /// Writes a time, its upper half first.
    fn time(&mut self, time: u64) {
        self.put(((time >> 32) as u32).to_le_bytes());
        self.put((time as u32).to_le_bytes());
    }

    /// Writes an option with a text, unless that is empty. A text that is too long is cut, and ends in `…`.
    fn text(&mut self, code: u16, text: &str) {
        const CUT: &str = "…";
        if text.len() > MAX_TEXT {
            let kept = &text[..text.floor_char_boundary(MAX_TEXT - CUT.len())];
            self.option(code, format!("{kept}{CUT}").as_bytes());
        } else if !text.is_empty() {
            self.option(code, text.as_bytes());
        }
    }

    /// Writes an option of at most [`MAX_TEXT`] bytes.
    fn option(&mut self, code: u16, value: &[u8]) {
        self.put(code.to_le_bytes());
        self.put((value.len() as u16).to_le_bytes());
        self.block.extend_from_slice(value);
        self.pad();
    }

    /// Fills the block up to a multiple of four bytes.
    fn pad(&mut self) {
        let length = self.block.len().next_multiple_of(4);
        self.block.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Blocks<&mut Vec<u8>>) -> io::Result<()>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Blocks::new(&mut bytes)).expect("memory takes it");
        bytes
    }

    #[test]
    fn a_packet_is_written_as_the_draft_specifies() {
        let bytes = written(|blocks| {
            blocks.packet(&Packet {
                interface: 1,
                time: 0x0102_0304_0506_0708,
                bytes: b"abcde",
                length: 1_500,
                lost: 3,
                comment: "why",
            })
        });
        let expected = [
            &[6, 0, 0, 0][..],
            &[72, 0, 0, 0],
            &[1, 0, 0, 0],
            &[4, 3, 2, 1],
            &[8, 7, 6, 5],
            &[5, 0, 0, 0],
            &[0xdc, 5, 0, 0],
            b"abcde\0\0\0",
            &[2, 0, 4, 0, 2, 0, 0, 0],
            &[4, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0],
            b"\x01\0\x03\0why\0",
            &[0, 0, 0, 0],
            &[72, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        for (text, expected) in [
            ("é".repeat(32_767), "é".repeat(32_767)),
            ("é".repeat(32_768), "é".repeat(32_766) + "…"),
            ("a".repeat(65_536), "a".repeat(65_532) + "…"),
        ] {
            let bytes = written(|blocks| {
                blocks.section(&Section {
                    comment: &text,
                    ..Section::default()
                })
            });
            let length = u16::from_le_bytes([bytes[26], bytes[27]]);
            assert_eq!(usize::from(length), expected.len());
            assert_eq!(&bytes[28..28 + expected.len()], expected.as_bytes());
            assert!(bytes.len().is_multiple_of(4));
        }
    }
}
