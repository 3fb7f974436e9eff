//! Events as a table in the form of CSV: a row for each event, a column for each field of the JSON form.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::io::Write;

use csv::ByteRecord;
use csv::Writer;
use retrans_event::FieldPath;
use retrans_event::FieldValue;

use super::Exported;
use super::Exporter;
use super::labels;
use crate::config::ExportField;

/// First characters that make a spreadsheet take text for a formula, and the one that is put before them. The last four
/// are the full-width forms of the first.
const UNSAFE: [char; 12] = [
    '=', '+', '-', '@', '\t', '\r', '\n', GUARD, '＝', '＋', '－', '＠',
];

/// Put before text that a spreadsheet may take for a formula.
const GUARD: char = '\'';

/// Writes rows.
pub struct Table<W: Write> {
    writer: Writer<W>,
    fields: Vec<ExportField>,
    row: ByteRecord,
    cell: String,
}

impl<W: Write> Table<W> {
    /// Writes the row of the names of the columns. Without `fields`, there are columns for all.
    pub fn begin(to: W, fields: Option<&[ExportField]>) -> io::Result<Table<W>> {
        let all = || {
            FieldPath::all()
                .map(ExportField::Path)
                .chain([ExportField::Labels])
        };
        let fields = fields.map_or_else(|| all().collect(), <[ExportField]>::to_vec);
        let mut table = Table {
            writer: Writer::from_writer(to),
            row: fields
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .into(),
            fields,
            cell: String::new(),
        };
        table.write_row()?;
        Ok(table)
    }

    fn write_row(&mut self) -> io::Result<()> {
        let written = self.writer.write_byte_record(&self.row);
        written.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        })
    }
}

impl<W: Write> Exporter for Table<W> {
    fn event(&mut self, exported: &Exported<'_>) -> io::Result<()> {
        self.row.clear();
        for field in &self.fields {
            self.cell.clear();
            match field {
                ExportField::Path(path) => {
                    let value = path.value(exported.event);
                    if let Some(value) = value {
                        // Memory takes it.
                        let _ = write!(self.cell, "{value}");
                    }
                    if let Some(FieldValue::Text(_)) = value {
                        guard(&mut self.cell);
                    }
                }
                ExportField::Labels if exported.labels.is_empty() => {}
                ExportField::Labels => self.cell = labels::json(exported.labels, Cow::Borrowed),
            }
            self.row.push_field(self.cell.as_bytes());
        }
        self.write_row()
    }

    fn lost(&mut self, _: usize, _: u64) {}

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// Puts an apostrophe before text that a spreadsheet may take for a formula, and before one that begins with an
/// apostrophe, so that the text can be restored. Other users choose such texts: the names of their processes.
fn guard(cell: &mut String) {
    if cell.starts_with(UNSAFE) {
        cell.insert(0, GUARD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_a_formula_becomes_one_that_is_none_and_can_be_restored() {
        for text in [
            "=cmd|' /C calc'!A0",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "'=1",
            "'",
            "＝1",
        ] {
            let mut cell = text.to_owned();
            guard(&mut cell);
            assert_eq!(cell.strip_prefix('\''), Some(text));
        }
        for text in ["", "nginx", "a=b", "(sd-pam)", "kworker/0:1-ev", "\"=1\""] {
            let mut cell = text.to_owned();
            guard(&mut cell);
            assert_eq!(cell, text);
        }
    }
}
