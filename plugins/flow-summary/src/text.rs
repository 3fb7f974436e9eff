//! A summary as lines for people.

use std::collections::BTreeMap;

use retrans_plugin_sdk::prelude::*;

use crate::Period;
use crate::ranking::Detail;
use crate::ranking::Row;

/// Columns of a table. The last one has no fixed width.
const COLUMNS: usize = 5;

/// Writes a line with the sums, and the tables of peers and connections.
pub(crate) fn write(period: &Period, top: usize, now: Duration, out: &mut Output) {
    out.line(sums(period, now));
    // A restored state may have events without segments.
    if period.events == 0 || period.segments == 0 {
        return;
    }
    // Rounded to a whole number. A sum that is too high does not become more than all.
    let all = u128::from(period.segments);
    let share = |row: u64| format!("{}%", ((200 * u128::from(row) + all) / (2 * all)).min(100));
    for (heading, ranking) in [("peer", &period.peers), ("connection", &period.connections)] {
        let rows = ranking.top(top);
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for row in &rows {
            *times.entry(row.flow.to_string()).or_default() += 1;
        }
        let cells = rows.iter().map(|row| {
            let flow = row.flow.to_string();
            // Connections of two network namespaces may have the same addresses and ports.
            let flow = match times.get(&flow) {
                Some(2..) => format!("{:#}", row.flow),
                _ => flow,
            };
            cells(row, share(row.most), flow)
        });
        table(heading, cells, out);
    }
}

/// Text such as `10s: 12 segments in 9 retransmits, 1 failed, 3 events lost`.
fn sums(period: &Period, now: Duration) -> String {
    let count = |number: u64, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {what}{plural}")
    };
    let mut text = format!("{}: ", duration::display(period.length(now)));
    text += &match period.events {
        0 => "no retransmits".to_owned(),
        events => format!(
            "{} in {}",
            count(period.segments, "segment"),
            count(events, "retransmit")
        ),
    };
    if period.failed > 0 {
        text += &format!(", {} failed", count(period.failed, "attempt"));
    }
    if period.lost > 0 {
        text += &format!(", {} lost", count(period.lost, "event"));
    }
    text
}

fn cells(row: &Row, share: String, flow: String) -> [String; COLUMNS] {
    let segments = match row.least == row.most {
        true => row.most.to_string(),
        false => format!("{}-{}", row.least, row.most),
    };
    let kinds = row.detail.map(Detail::kinds).unwrap_or_default();
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, segments)| format!("{kind} {segments}"))
        .collect();
    let holder = row.detail.and_then(|detail| {
        let more = if detail.more_holders {
            " and others"
        } else {
            ""
        };
        Some(format!("{}{more}", detail.holder.as_ref()?))
    });
    [
        segments,
        share,
        flow,
        kinds.join(", "),
        holder.unwrap_or_default(),
    ]
}

/// Writes rows with a heading, in columns: numbers to the right, text to the left.
fn table(key: &str, rows: impl Iterator<Item = [String; COLUMNS]>, out: &mut Output) {
    let heading = ["segments", "share", key, "causes", "process"].map(str::to_owned);
    let rows: Vec<_> = [heading].into_iter().chain(rows).collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let [segments, share, key, causes, _] = widths;
    for [a, b, c, d, e] in &rows {
        let line = format!("  {a:>segments$}  {b:>share$}  {c:<key$}  {d:<causes$}  {e}");
        out.line(line.trim_end());
    }
}
