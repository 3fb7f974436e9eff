//! Prints each event as a line of columns, and keeps all events. Prints a line where events were lost.
//!
//! A heading is the first line, right before the first event. It is not repeated: in a pipe, lines that are no events
//! would be in the way, and a terminal can be scrolled back.
//!
//! With a `width`, columns that have no room are left out, and no line is longer (layout.rs). `wide` prints more columns,
//! and shortens nothing.

mod cells;
mod columns;
mod layout;
mod row;
mod styles;

use retrans_plugin_sdk::prelude::*;

use cells::Shown;
use columns::Column;
use layout::Layout;
use row::Row;

settings! {
    /// Settings of the plugin.
    pub struct Settings {
        /// Columns to print: time, pid, comm, local, peer, kind, state, srtt, rto, cwnd; segs, length, mss, netns,
        /// container, labels; and the paths of fields in a line of JSON, such as tcp.mss, or of whole objects, such as
        /// tcp. One word with commas, or a list. Without any, the first ten.
        pub columns: OneOrMany<String> = OneOrMany(Vec::new()),
        /// Whether to shorten nothing and leave nothing out, however wide the terminal is. Without columns, also prints
        /// segs, length, mss, netns, container and labels.
        pub wide: bool = false,
        /// Whether to colour causes, and attempts that failed red. The host sets it on a terminal.
        pub color: bool = false,
        /// Number of characters in a line, at most: columns that have no room are left out, the last ones first. 0 is any
        /// number. The host sets it to the width of the terminal.
        #[schemars(range(max = 65_535))]
        pub width: u32 = 0,
    }
}

/// Largest value of `width`: terminals count columns in 16 bits.
const MAX_WIDTH: u32 = 65_535;

/// The plugin.
#[derive(Debug)]
pub struct TablePrint {
    columns: Vec<Column>,
    layout: Layout,
    has_colours: bool,
    has_heading: bool,
    /// The cells of a line, and the line: buffers.
    row: Row,
    line: String,
}

impl TablePrint {
    fn heading(&mut self, out: &mut Output) {
        self.has_heading = true;
        self.row.begin(match self.has_colours {
            true => styles::HEADING,
            false => "",
        });
        for column in &self.columns {
            self.row.cell("", |to| to.push_str(&column.heading));
        }
        self.write(out);
    }

    /// Writes the line of the row.
    fn write(&mut self, out: &mut Output) {
        self.line.clear();
        self.layout.write(&self.row, &mut self.line);
        out.line(&self.line);
    }
}

impl Plugin for TablePrint {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(
            settings.width <= MAX_WIDTH,
            "width: expected at most {MAX_WIDTH}"
        );
        let names = settings.columns.iter();
        let names = names.flat_map(|names| names.split(',')).map(str::trim);
        let mut columns = match settings.columns.is_empty() {
            true => columns::usual(settings.wide),
            false => columns::named(names)?,
        };
        let layout = Layout::new(&columns, settings.width as usize, settings.wide);
        let left_out = columns.split_off(layout.columns());
        if !settings.columns.is_empty() && !left_out.is_empty() {
            let names: Vec<&str> = left_out.iter().map(|column| &*column.heading).collect();
            log::info!(
                "a line of {} characters has no room for {}; wide=true prints all columns",
                settings.width,
                names.join(", "),
            );
        }
        Ok(TablePrint {
            columns,
            layout,
            has_colours: settings.color,
            has_heading: false,
            row: Row::default(),
            line: String::new(),
        })
    }

    fn on_event(&mut self, event: &mut Event, out: &mut Output) -> Result<Verdict> {
        if !self.has_heading {
            self.heading(out);
        }
        let is_sent = event.sent();
        self.row.begin(match (self.has_colours, is_sent) {
            (true, false) => styles::FAILED,
            _ => "",
        });
        let owner = Shown::of(event);
        for column in &self.columns {
            let style = match (self.has_colours && is_sent, column.is_kind()) {
                (true, true) => styles::of(event.kind()),
                _ => "",
            };
            self.row
                .cell(style, |to| column.content.write(event, &owner, to));
        }
        self.write(out);
        Ok(Verdict::Keep)
    }

    fn on_lost(&mut self, events: u64, out: &mut Output) -> Result<()> {
        let plural = if events == 1 { "" } else { "s" };
        let text = format!("-- {events} event{plural} lost --");
        self.line.clear();
        self.layout.write_text(&text, &mut self.line);
        out.line(&self.line);
        Ok(())
    }
}

export_plugin!(TablePrint);

#[cfg(test)]
mod tests;
