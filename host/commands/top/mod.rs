//! The command `top`: shows a run on the whole terminal while it lasts.
//!
//! ```text
//!  source ──observer──▶ feed ──▶ shared: model, messages ──▶ ui ──▶ the terminal
//!  chain ───sink───────▶ results ──▶      ▲                   │
//!  messages for standard error ───────────┘     keys ─────────┘
//! ```

mod backend;
mod feed;
mod recordings;
mod results;
mod shared;
mod signals;
mod ui;

use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use indicatif::ProgressBar;
use retrans_view::top::Filter;
use retrans_view::top::Model;
use retrans_view::top::ParseFilter;
use retrans_view::top::Recording;
use retrans_view::top::Source;
use retrans_view::top::Theme;
use retrans_view::top::View;

use self::feed::Feed;
use self::recordings::Recordings;
use self::results::Results;
use self::shared::Shared;
use self::ui::Ui;
use super::presentation::Presentation;
use super::presentation::Stream;
use super::replay;
use super::watch;
use crate::config::FilterWords;
use crate::config::Recorded;
use crate::config::Replay;
use crate::config::Top;
use crate::config::TopSource;
use crate::config::Verbosity;
use crate::observer::Observer;
use crate::pipeline::Handlers;
use crate::pipeline::Outputs;
use crate::pipeline::stop::Signals;
use crate::pipeline::stop::Stop;
use crate::source::replay::ReplayError;
use crate::system::stdio;
use crate::system::stdio::Screen;

/// Shows the run until a key or a signal ends it.
pub fn top(config: &Top) -> Result<()> {
    let term = env::var("TERM").unwrap_or_default();
    let screen = Screen::find(&term, config.source.reads_stdin());
    let screen = screen.context("cannot show the live view")?;
    let source = match &config.source {
        // How the probe is attached is known later.
        TopSource::Live(_) => Source::Live(String::new()),
        TopSource::Replay(replay) => replayed(replay),
    };
    let mut model = Model::new(source);
    if config.record_dir.is_some() {
        model.record(Recording::Off);
    }
    let mut live_view = LiveView {
        view: Some((screen, config.filter_words)),
        term,
        shared: Arc::new(Shared::new(model)),
        record_dir: config.record_dir.clone(),
        ui: None,
    };
    match &config.source {
        TopSource::Live(config) => watch::watch_with(config, &mut live_view),
        TopSource::Replay(config) => replay::replay_with(config, &mut live_view),
    }
}

/// Where the events of a replay come from.
fn replayed(replay: &Replay) -> Source {
    if let [Recorded::Fleet(fleet)] = replay.inputs.as_slice() {
        return Source::Fleet(fleet.broker.servers());
    }
    let files = replay.inputs.iter().filter_map(Recorded::file);
    Source::Replay {
        files: files.map(Path::to_owned).collect(),
        speed: replay.speed,
    }
}

/// A run on the whole terminal.
struct LiveView {
    /// The terminal, until the run begins, and what reads filters.
    view: Option<(Screen, FilterWords)>,
    /// The value of TERM.
    term: String,
    shared: Arc<Shared>,
    record_dir: Option<PathBuf>,
    ui: Option<Ui>,
}

impl Presentation for LiveView {
    /// SIGHUP ends the run: the terminal is gone.
    fn signals(&self) -> Result<(Signals, Handlers)> {
        let signals = Signals::listen_on_terminal().context("cannot listen for signals")?;
        Ok((signals, Handlers::listen_on_terminal()?))
    }

    fn written_directories(&self) -> Vec<PathBuf> {
        self.record_dir.iter().cloned().collect()
    }

    fn outputs(&self) -> Outputs {
        Outputs {
            direct: Some(Box::new(Results::new(Arc::clone(&self.shared)))),
            ..Outputs::default()
        }
    }

    fn progress(&self, _verbosity: Verbosity) -> ProgressBar {
        ProgressBar::hidden()
    }

    fn observers(&self, stream: &Stream<'_>) -> Vec<Box<dyn Observer>> {
        let mut model = self.shared.model();
        model.host = stream.host.map(|host| host.name.clone());
        if let (Source::Live(attached), Some(host)) = (&mut model.source, stream.host) {
            attached.clone_from(&host.attached);
        }
        drop(model);
        let recordings = self.record_dir.clone().map(|directory| {
            let host = stream.host.cloned();
            Recordings::new(directory, host, stream.has_census)
        });
        let progress = stream.progress.cloned();
        vec![Box::new(Feed::new(
            Arc::clone(&self.shared),
            progress,
            recordings,
        ))]
    }

    fn begin(&mut self, line: &str, verbosity: Verbosity, stop: &Stop) -> Result<()> {
        let Some((screen, words)) = self.view.take() else {
            bail!("the live view was shown before");
        };
        let view = View::new(theme(&screen, &self.term), parser(words));
        let end = stop
            .end_handle()
            .context("cannot end the run from the live view")?;
        self.ui = Some(Ui::start(screen, view, Arc::clone(&self.shared), end)?);
        if verbosity >= Verbosity::Normal && !line.is_empty() {
            self.shared.log(line);
        }
        Ok(())
    }

    fn failed(&mut self, error: &ReplayError) {
        self.shared.log(&format!("error: {error}"));
    }

    fn hold(&mut self, stop: &Stop) {
        if let Some(ui) = &self.ui {
            ui.wait(stop);
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ui.take().map_or(Ok(()), Ui::end)
    }

    /// What is on the terminal afterwards is what was there before, unless more is asked for.
    fn prints_ledger(&self, verbosity: Verbosity) -> bool {
        verbosity >= Verbosity::Debug
    }
}

/// The terminal is as it was also if the run ends with an error.
impl Drop for LiveView {
    fn drop(&mut self) {
        stdio::leave_screen();
    }
}

/// Reads filters in the words of the command line.
fn parser(words: FilterWords) -> ParseFilter {
    Box::new(move |text| {
        let filters = words.parse(text)?;
        Ok(Filter {
            text: text.to_owned(),
            admits: Arc::new(move |event| filters.want(event)),
        })
    })
}

/// What the terminal can show.
fn theme(screen: &Screen, term: &str) -> Theme {
    let variable = |name| env::var(name).unwrap_or_default();
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let locale = names.into_iter().find(|value| !value.is_empty());
    // Without a locale, as in a container, the terminal itself tells.
    let locale = locale.unwrap_or_else(|| match screen.is_utf8() {
        true => "UTF-8".to_owned(),
        false => String::new(),
    });
    Theme::of(&variable("NO_COLOR"), term, &variable("COLORTERM"), &locale)
}
