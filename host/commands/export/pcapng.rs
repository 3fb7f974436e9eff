//! Events as packets in the form of pcapng, which Wireshark and tshark read: a packet for each event, and an interface
//! for each host.

use std::io;
use std::io::Write;

use retrans_event::nanos;

use super::Exported;
use super::Exporter;
use super::blocks;
use super::blocks::Blocks;
use super::blocks::Packet;
use super::blocks::Section;
use super::blocks::Statistics;
use super::comment::Comments;
use super::headers;
use crate::capture::Host;
use crate::config::ExportField;
use crate::system::sanitize::clean;

/// The comment of the file.
const ABOUT: &str = "Retransmits of TCP. The headers are made of events: addresses, ports, sequence number, flags and \
                     length are those of the segment. Not recorded, and so always the same, are the acknowledgement \
                     number (0), the window (65535), the time to live (64) and the checksum of TCP (0). No payload was \
                     captured. The comment of a packet has fields of its event.";

/// Writes packets.
pub struct Packets<W> {
    blocks: Blocks<W>,
    comments: Comments,
    interfaces: Vec<Interface>,
    /// For each file the number of its interface.
    of_input: Vec<usize>,
    headers: Vec<u8>,
    comment: String,
}

/// An interface: all events of one host.
struct Interface {
    /// Name and kernel; `None` if they are unknown.
    host: Option<(String, String)>,
    /// Number of its packets.
    packets: u64,
    /// Number of its events that were lost.
    lost: u64,
    /// Those of them that were lost after its last packet.
    lost_since: u64,
    /// The time of its latest packet since 1970-01-01T00:00:00Z in ns.
    latest: u64,
}

impl<W: Write> Packets<W> {
    /// Writes the head of the file. `hosts` are those of the files that are read.
    pub fn begin<'a>(
        to: W,
        hosts: impl Iterator<Item = Option<&'a Host>>,
        fields: Option<&[ExportField]>,
    ) -> io::Result<Packets<W>> {
        let mut packets = Packets {
            blocks: Blocks::new(to),
            comments: Comments::new(fields),
            interfaces: Vec::new(),
            of_input: Vec::new(),
            headers: Vec::with_capacity(headers::MAX_SIZE),
            comment: String::new(),
        };
        for host in hosts {
            packets.add_input(host);
        }
        packets.write_head()?;
        Ok(packets)
    }

    /// Notes the host of the next file. Files of one host have one interface.
    fn add_input(&mut self, host: Option<&Host>) {
        // A capture may come from anywhere.
        let host = host.map(|host| (clean(&host.name), clean(&host.kernel)));
        let mut known = self.interfaces.iter();
        let number = known.position(|interface| interface.host == host);
        self.of_input.push(number.unwrap_or(self.interfaces.len()));
        if number.is_none() {
            self.interfaces.push(Interface {
                host,
                packets: 0,
                lost: 0,
                lost_since: 0,
                latest: 0,
            });
        }
    }

    fn write_head(&mut self) -> io::Result<()> {
        let os = |interface: &Interface| {
            let host = interface.host.as_ref();
            host.map_or_else(String::new, |(_, kernel)| format!("Linux {kernel}"))
        };
        let of_all = match self.interfaces.as_slice() {
            [one] => os(one),
            _ => String::new(),
        };
        self.blocks.section(&Section {
            comment: ABOUT,
            os: &of_all,
            application: concat!("retrans-host ", env!("CARGO_PKG_VERSION")),
        })?;
        for interface in &self.interfaces {
            let (name, description) = match &interface.host {
                Some((name, _)) => (name.as_str(), "Segments that this host has sent again"),
                None => ("unknown", "The events do not name their host"),
            };
            self.blocks.interface(&blocks::Interface {
                name,
                description,
                os: &os(interface),
                captured: headers::MAX_SIZE as u32,
            })?;
        }
        Ok(())
    }
}

impl<W: Write> Exporter for Packets<W> {
    fn event(&mut self, exported: &Exported<'_>) -> io::Result<()> {
        let number = self.of_input[exported.input];
        let interface = &mut self.interfaces[number];
        let lost = std::mem::take(&mut interface.lost_since);
        let time = nanos(exported.event.wall_time());
        interface.packets += 1;
        interface.latest = interface.latest.max(time);
        self.headers.clear();
        let length = headers::write(exported.event, &mut self.headers);
        self.comment.clear();
        self.comments.write(exported, lost, &mut self.comment);
        self.blocks.packet(&Packet {
            interface: number as u32,
            time,
            bytes: &self.headers,
            length,
            lost,
            comment: &self.comment,
        })
    }

    fn lost(&mut self, input: usize, count: u64) {
        let interface = &mut self.interfaces[self.of_input[input]];
        interface.lost = interface.lost.saturating_add(count);
        interface.lost_since = interface.lost_since.saturating_add(count);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blocks.flush()
    }

    /// Writes how many events of each interface were lost, also after its last packet.
    fn end(&mut self) -> io::Result<()> {
        for (number, interface) in self.interfaces.iter().enumerate() {
            self.blocks.statistics(&Statistics {
                interface: number as u32,
                time: interface.latest,
                received: interface.packets,
                lost: interface.lost,
            })?;
        }
        self.flush()
    }
}
