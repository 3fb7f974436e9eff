//! The summary as text.

use std::io;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use retrans_view::groups::Groups;
use retrans_view::key::Grouping;
use retrans_view::key::Key;
use retrans_view::key::Part;
use retrans_view::ratios::Ratios;
use retrans_view::sums::Sums;

use super::summary::MAX_KEYS;
use super::summary::Summary;
use crate::system::sanitize::clean;
use crate::system::timestamp;

/// Width of the longest bar of the histogram.
const BAR: u64 = 40;

/// Prints a summary, and the `top` keys of each grouping.
pub(super) fn print(
    summary: &Summary,
    file: &Path,
    top: usize,
    to: &mut impl Write,
) -> io::Result<()> {
    writeln!(to, "{}", file.display())?;
    origin(summary, to)?;
    events(summary, to)?;
    writeln!(
        to,
        "  lost        {} in {} gaps",
        summary.lost, summary.gaps
    )?;
    if summary.ratios.censuses() > 0 {
        writeln!(to, "  censuses    {}", census(&summary.ratios))?;
    }
    for groups in &summary.groups {
        table(summary, groups, top, to)?;
    }
    histogram(summary, to)
}

fn origin(summary: &Summary, to: &mut impl Write) -> io::Result<()> {
    let head = &summary.head;
    // The file is not trusted: its strings may contain escape sequences for the terminal.
    let (writer, begun) = (head.writer.escape_debug(), head.begun.escape_debug());
    writeln!(to, "  written by  {writer}, begun {begun}")?;
    match &head.host {
        Some(host) => writeln!(
            to,
            "  host        {}, Linux {}, booted {} ({})",
            host.name.escape_debug(),
            host.kernel.escape_debug(),
            host.booted.escape_debug(),
            host.attached.escape_debug()
        )?,
        None => writeln!(
            to,
            "  host        unknown: the events are synthetic, or were JSON lines"
        )?,
    }
    let fields = head.layout.len();
    writeln!(
        to,
        "  records     {} bytes, {fields} fields",
        head.record_size
    )
}

fn events(summary: &Summary, to: &mut impl Write) -> io::Result<()> {
    let sums = &summary.sums;
    match sums.span {
        Some((first, last)) => writeln!(
            to,
            "  span        {} to {} ({:.3} s)",
            timestamp::show(first, 3),
            timestamp::show(last, 3),
            sums.duration().as_secs_f64()
        )?,
        None => writeln!(to, "  span        no event")?,
    }
    let (connections, has_more) = summary.connections();
    writeln!(
        to,
        "  events      {} ({} segments, {} not sent), {}{connections} connections",
        sums.events,
        sums.segments,
        sums.failed,
        more_than(has_more),
    )?;
    let mut kinds: Vec<_> = sums
        .kinds
        .iter()
        .map(|(kind, events)| {
            (
                kind.map_or("other", |kind| kind.name().unwrap_or("other")),
                events,
            )
        })
        .collect();
    kinds.sort_unstable();
    for (kind, events) in kinds {
        writeln!(to, "    {events:>9} {kind}")?;
    }
    Ok(())
}

fn census(ratios: &Ratios) -> String {
    let total = ratios.total();
    let incomplete = match ratios.is_complete() {
        true => "",
        false => ", incomplete",
    };
    let ratio = total.ratio();
    let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({:.2} %)", 100.0 * ratio));
    format!(
        "{} with {} rows: {} segments sent, {} of them again{ratio}{incomplete}",
        ratios.censuses(),
        ratios.rows(),
        total.segments,
        total.retransmitted
    )
}

/// The keys of a grouping with the most events.
fn table(summary: &Summary, groups: &Groups, top: usize, to: &mut impl Write) -> io::Result<()> {
    let (total, ratios) = (&summary.sums, &summary.ratios);
    let more = match groups.evicted() {
        0 => "",
        _ => ", which were not all kept: numbers may be too low",
    };
    let number = groups.len();
    let keys = if number == 1 { "key" } else { "keys" };
    let limit = more_than(groups.evicted() > 0);
    writeln!(
        to,
        "  by {}: {limit}{} {keys}{more}",
        groups.grouping(),
        number.min(MAX_KEYS),
    )?;
    let top = groups.top(top, |sums| (sums.events, sums.segments));
    if top.is_empty() {
        return Ok(());
    }
    // The share of what was sent is known by peer alone.
    let peers = *groups.grouping() == Grouping::from(Part::Peer) && ratios.censuses() > 0;
    let again = if peers { "  % sent again" } else { "" };
    write!(to, "       events  segments     share{again} ")?;
    // The text of each part of a key.
    let cells = |key: &Key| -> Vec<String> {
        let parts = groups.grouping().parts().iter().zip(key.values());
        parts
            .map(|(part, value)| clean(&summary.containers.value(*part, value)))
            .collect()
    };
    let rows: Vec<_> = top
        .into_iter()
        .map(|(key, sums)| (key, cells(key), sums))
        .collect();
    let columns = columns(groups.grouping(), &rows);
    for (name, width) in groups.grouping().parts().iter().zip(&columns) {
        write!(to, " {name:<width$}")?;
    }
    writeln!(to)?;
    for (key, cells, sums) in &rows {
        let share = 100.0 * sums.events as f64 / total.events.max(1) as f64;
        write!(
            to,
            "    {:>9} {:>9} {share:>7.1} %",
            sums.events, sums.segments
        )?;
        if peers {
            let ratio = sent_again(key, ratios);
            write!(to, "  {ratio:>12}")?;
        }
        write!(to, " ")?;
        for (cell, width) in cells.iter().zip(&columns) {
            write!(to, " {cell:<width$}")?;
        }
        writeln!(to)?;
    }
    Ok(())
}

/// The share of the segments to a peer that were sent again.
fn sent_again(peer: &Key, ratios: &Ratios) -> String {
    let [retrans_view::key::Value::Address(peer)] = peer.values() else {
        return String::new();
    };
    let ratio = ratios.peer(*peer).and_then(|sent| sent.ratio());
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.2}", 100.0 * ratio))
}

/// The width of each column. The last one is not padded.
fn columns(grouping: &Grouping, rows: &[(&Key, Vec<String>, &Sums)]) -> Vec<usize> {
    let last = grouping.parts().len() - 1;
    let widths = grouping.parts().iter().enumerate().map(|(number, part)| {
        if number == last {
            return 0;
        }
        let cells = rows.iter().filter_map(|(_, cells, _)| cells.get(number));
        let widths = cells.map(|cell| cell.chars().count());
        widths.chain([part.name().len()]).max().unwrap_or(0)
    });
    widths.collect()
}

/// Events over time, each interval a bar.
fn histogram(summary: &Summary, to: &mut impl Write) -> io::Result<()> {
    let timeline = &summary.timeline;
    if timeline.len() < 2 {
        return Ok(());
    }
    let width = timeline.width();
    writeln!(to, "  over time   events in each {}", humantime(width))?;
    let most = timeline.iter().map(|(_, sums)| sums.events).max();
    let most = most.unwrap_or(0).max(1);
    let digits = match width.subsec_nanos() {
        0 => 0,
        _ => 2,
    };
    for (begin, sums) in timeline.iter() {
        let begin = timestamp::show(begin, digits);
        writeln!(
            to,
            "    {:>9} {begin} {}",
            sums.events,
            bar(sums.events, most)
        )?;
    }
    Ok(())
}

/// A bar in eighths of a character.
fn bar(number: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = u128::from(number) * u128::from(BAR) * 8 / u128::from(most);
    let eighths = match number {
        0 => 0,
        _ => eighths.max(1) as usize,
    };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// A length such as `500ms`, `10s`, `5m`, `6h` or `1d`: intervals are whole numbers of one of these.
fn humantime(length: Duration) -> String {
    let millis = length.as_millis() as u64;
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let unit = units.iter().find(|(unit, _)| millis.is_multiple_of(*unit));
    let (unit, name) = unit.copied().unwrap_or((1, "ms"));
    format!("{}{name}", millis / unit)
}

/// The words before a count that stopped at its limit.
fn more_than(more: bool) -> &'static str {
    if more { "more than " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use retrans_event::Record;

    use super::super::summary::MAX_CONNECTIONS;
    use super::*;
    use crate::capture::Head;

    fn summary(by: Part) -> Summary {
        Summary::new(Head::new(None, String::new()), &[by.into()])
    }

    fn printed(summary: &Summary) -> io::Result<String> {
        let mut text = Vec::new();
        print(summary, Path::new("a.rtc"), 3, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn to_peer(number: usize) -> Record {
        let mut event = Record::new();
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number as u32);
        event.set_peer_address(address.into());
        event
    }

    #[test]
    fn keys_and_connections_are_counted_up_to_a_limit() -> io::Result<()> {
        let mut summary = summary(Part::Peer);
        for number in 0..MAX_KEYS {
            summary.add_event(&to_peer(number));
        }
        summary.add_event(&to_peer(7));
        let text = printed(&summary)?;
        let first = format!(
            "  by peer: {MAX_KEYS} keys\n       events  segments     share  peer\n            2         0     0.0 %  10.0.0.7\n"
        );
        assert!(text.contains(&first), "{text}");
        for number in MAX_KEYS..=MAX_CONNECTIONS {
            summary.add_event(&to_peer(number));
        }
        let text = printed(&summary)?;
        for line in [
            format!(", more than {MAX_CONNECTIONS} connections\n"),
            format!("  by peer: more than {MAX_KEYS} keys, which were not all kept"),
        ] {
            assert!(text.contains(&line), "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_bar_is_as_long_as_its_number_and_never_empty() {
        let lengths = [0, 1, 50, 99, 100].map(|number| bar(number, 100).chars().count());
        assert_eq!(lengths, [0, 1, 20, 40, 40]);
        assert_eq!(bar(1, u64::MAX), "▏");
        assert_eq!(bar(u64::MAX, u64::MAX), "█".repeat(BAR as usize));
    }

    #[test]
    fn lengths_of_intervals_have_a_unit() {
        let lengths = [10, 500, 1_000, 300_000, 21_600_000, 864_000_000];
        let shown = lengths.map(|millis| humantime(Duration::from_millis(millis)));
        assert_eq!(shown, ["10ms", "500ms", "1s", "5m", "6h", "10d"]);
    }
}
