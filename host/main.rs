//! Arguments → command → exit code.

use std::process::ExitCode;

use retrans_host::cli;
use retrans_host::commands;

fn main() -> ExitCode {
    let result = cli::config()
        .map_err(anyhow::Error::from)
        .and_then(|config| commands::run(&config.for_this_output()));
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    commands::print_error(&cli::error_text(&error));
    ExitCode::from(if cli::is_usage(&error) { 2 } else { 1 })
}
