//! The command line of `export`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use retrans_event::FieldPath;

use super::filters;
use super::filters::FilterArgs;
use super::inputs::at_most_one_stdin;
use super::inputs::time_range;
use super::usage_error::UsageError;
use crate::config::Export;
use crate::config::ExportField;
use crate::config::ExportFormat;
use crate::config::Verbosity;

/// The files to export, the part of them, and the form.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Captures, or files of JSON lines as json-print writes them, the oldest first. - is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The form: a table with a row for each event (csv), or a packet for each event (pcapng)
    ///
    /// A packet has the headers as far as they are known, no payload, and a comment with its cause, the state of the
    /// connection, and the owner.
    #[arg(long, value_name = "FORMAT")]
    pub to: Format,

    /// Writes to this file, which appears once it is complete. Without this option, or with -, the output is standard
    /// output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Overwrites the file of --output if it exists
    #[arg(long, requires = "output")]
    pub force: bool,

    /// Fields, in this order, as columns of the table or in the comments: source.ip, all of an object such as tcp, or
    /// labels
    ///
    /// They have the names of the JSON form. Without this option, the table has all fields.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub fields: Option<Vec<String>>,

    /// Omits events before this point in time (RFC 3339), such as 2026-01-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,

    /// Omits events before this time ago, such as 10m or 1h
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    pub since: Option<String>,

    /// Omits events at this point in time and later
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// The filters.
    #[command(flatten)]
    pub filters: FilterArgs,
}

/// A form of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table of comma-separated values.
    Csv,
    /// Packets.
    Pcapng,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> ExportFormat {
        match format {
            Format::Csv => ExportFormat::Csv,
            Format::Pcapng => ExportFormat::Pcapng,
        }
    }
}

/// The configuration of an export.
pub fn config(args: ExportArgs, verbosity: Verbosity) -> Result<Export, UsageError> {
    Ok(Export {
        times: time_range(
            args.from.as_deref(),
            args.since.as_deref(),
            ("--until", args.until.as_deref()),
        )?,
        filters: filters::replay(&args.filters)?,
        fields: args.fields.as_deref().map(fields).transpose()?,
        files: at_most_one_stdin(args.files)?,
        format: args.to.into(),
        output: args.output.filter(|file| file.as_os_str() != "-"),
        force: args.force,
        verbosity,
    })
}

/// The fields with these names. One that is named twice is exported once.
fn fields(names: &[String]) -> Result<Vec<ExportField>, UsageError> {
    let mut fields = Vec::new();
    for name in names {
        let found: Vec<ExportField> = match name.trim() {
            "labels" => vec![ExportField::Labels],
            name => FieldPath::find(name).map(ExportField::Path).collect(),
        };
        if found.is_empty() {
            return Err(UsageError::Value {
                option: "--fields",
                value: name.clone(),
                expected: "a field of the JSON form such as source.ip or retransmit.kind, an object of it such as \
                           tcp, or labels",
            });
        }
        let new = found.into_iter().filter(|field| !fields.contains(field));
        fields.extend(new.collect::<Vec<_>>());
    }
    Ok(fields)
}
