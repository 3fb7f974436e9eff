//! Arguments → run → exit code.

use std::process::ExitCode;

use retrans_host::config::Config;
use retrans_host::run;

fn main() -> ExitCode {
    let done = Config::from_args()
        .map_err(anyhow::Error::from)
        .and_then(|config| run::run(&config));
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    run::say(&format!("error: {error:#}"));
    ExitCode::from(if run::is_usage(&error) { 2 } else { 1 })
}
