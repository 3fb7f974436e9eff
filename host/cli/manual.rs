//! Manual pages, and scripts that complete command lines in a shell, from the command line as clap parses it.

use clap::Command;
use clap::CommandFactory as _;
use clap_complete::Shell as Generator;
use clap_mangen::Man;
use clap_mangen::roff::Roff;
use clap_mangen::roff::bold;
use clap_mangen::roff::roman;

use super::args::Cli;
use super::args::Shell;

/// The variables that change what the host does; docs/operating.md says more.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "CACHE_DIRECTORY, XDG_CACHE_HOME, HOME",
        "Directory of compiled plugins.",
    ),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        "How the service manager is told that the host is ready, and that it works.",
    ),
    (
        "JOURNAL_STREAM",
        "Whether standard output and standard error are the journal.",
    ),
    (
        "RETRANS_HOST_*",
        "Options of a live run, such as RETRANS_HOST_RING_SIZE for --ring-size, and \
         RETRANS_HOST_CONFIG for its configuration file.",
    ),
    (
        "OTEL_EXPORTER_OTLP_*, OTEL_METRIC_EXPORT_INTERVAL, OTEL_SERVICE_NAME, \
         OTEL_RESOURCE_ATTRIBUTES",
        "Settings of sinks of OTLP that the sink does not have itself.",
    ),
    (
        "NO_COLOR, TERM",
        "No colours if the first is set and not empty, or if the second is \"dumb\".",
    ),
    (
        "COLORTERM, LC_ALL, LC_CTYPE, LANG",
        "Colours and characters of top.",
    ),
    (
        "REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME",
        "Logins of plugin pull and plugin push, as docker login stores them.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "Certificates of authorities, for connections with TLS.",
    ),
    (
        "SUDO_UID, SUDO_GID",
        "Owner of the files of --record and of export.",
    ),
    (
        "COLUMNS",
        "Width of --help if its output is not a terminal.",
    ),
    (
        "PATH",
        "Where demo finds the programs that make its network, and plugin new looks for the \
         toolchain of the language.",
    ),
    (
        "TMPDIR",
        "Directory in which demo makes a new one, without --dir.",
    ),
    (
        "RUST_BACKTRACE",
        "Whether a panic, which is a bug of the host, is reported with a backtrace.",
    ),
    (
        "RUST_MIN_STACK",
        "Stack of the thread that watches files for --watch.",
    ),
];

/// The script for a shell.
pub fn completions(shell: Shell) -> String {
    let shell = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut command = without_hidden(&Cli::command());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "retrans-host", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Names and contents of all manual pages. The first is that of the program.
pub fn pages() -> std::io::Result<Vec<(String, String)>> {
    let mut command = without_hidden(&Cli::command()).disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, pages: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    command
        .get_subcommands()
        .try_for_each(|command| add_pages(command, pages))
}

fn page(command: &Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .source(concat!("retrans-host ", env!("CARGO_PKG_VERSION")))
        .manual("retrans-host");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string);
    for section in help.as_deref().unwrap_or_default().split("\n\n") {
        add_help(section, &mut page)?;
    }
    if command.get_name() == "retrans-host" {
        let mut roff = Roff::new();
        roff.control("SH", ["ENVIRONMENT"]);
        for (variables, meaning) in ENVIRONMENT {
            roff.control("TP", []);
            roff.text([bold(*variables)]);
            roff.text([roman(*meaning)]);
        }
        roff.to_writer(&mut page)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Adds a part of the text after the options: examples, or exit codes.
fn add_help(section: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut roff = Roff::new();
    if let Some(examples) = section.strip_prefix("Examples:\n") {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.trim_start())]);
        }
        roff.control("fi", []);
    } else if let Some(codes) = section.strip_prefix("Exit codes: ") {
        roff.control("SH", ["EXIT STATUS"]);
        roff.text([roman(codes.replace('\n', " "))]);
    }
    roff.to_writer(page)
}

/// The command without the subcommands that only the host itself runs.
fn without_hidden(command: &Command) -> Command {
    let subcommands = command.get_subcommands();
    let visible = subcommands.filter(|command| !command.is_hide_set());
    let copy = Command::new("retrans-host")
        .version(env!("CARGO_PKG_VERSION"))
        .args(command.get_arguments())
        .groups(command.get_groups())
        .subcommands(visible.cloned());
    let copy = match command.get_about() {
        Some(about) => copy.about(about.clone()),
        None => copy,
    };
    match command.get_after_help() {
        Some(help) => copy.after_help(help.clone()),
        None => copy,
    }
}
