//! The live view on synthetic events: `cargo run -p retrans-view --features top --example top`.

use std::env;
use std::error::Error;
use std::io;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::event;
use ratatui_crossterm::crossterm::event::Event;
use ratatui_crossterm::crossterm::event::KeyCode;
use ratatui_crossterm::crossterm::event::KeyModifiers;
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal;
use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::synth::Synth;
use retrans_view::top::Alert;
use retrans_view::top::Filter;
use retrans_view::top::Key;
use retrans_view::top::Model;
use retrans_view::top::Recording;
use retrans_view::top::Request;
use retrans_view::top::Severity;
use retrans_view::top::Source;
use retrans_view::top::Theme;
use retrans_view::top::View;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(250);

/// Number of connections.
const CONNECTIONS: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name| env::var(name).unwrap_or_default();
    let theme = Theme::of(
        &variable("NO_COLOR"),
        &variable("TERM"),
        &variable("COLORTERM"),
        &(variable("LC_ALL") + &variable("LANG")),
    );
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), terminal::EnterAlternateScreen)?;
    let result = show(theme);
    execute!(io::stdout(), terminal::LeaveAlternateScreen)?;
    terminal::disable_raw_mode()?;
    writeln!(io::stdout())?;
    result
}

fn show(theme: Theme) -> Result<(), Box<dyn Error>> {
    let mut screen = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut view = View::new(theme, Box::new(parse));
    let mut model = Model::new(Source::Live("synthetic".to_owned()));
    model.host = Some("example".to_owned());
    model.record(Recording::Off);
    let mut synth = Synth::with_connections(1, CONNECTIONS);
    let (mut fed, mut drawn) = (0, None);
    let begun = Instant::now();
    loop {
        let rate = 20 + begun.elapsed().as_secs() / 5 % 4 * 40;
        for mut event in synth.by_ref().take((rate / 4) as usize) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            event.set_wall_time(now);
            model.event(&event, "zone=eu");
            fed += 1;
            if fed % 100 == 0 {
                model.alert(&alert(fed, now));
                model.census([row(&event)]);
                model.log(&format!("event {fed}: \x1b[2Jnot cleared"));
            }
        }
        model.mark(SystemTime::now().duration_since(UNIX_EPOCH)?);
        if drawn != Some(model.changes()) {
            screen.draw(|frame| view.draw(frame, &model))?;
            drawn = Some(model.changes());
        }
        while event::poll(FRAME)? {
            if let Event::Key(pressed) = event::read()?
                && let Some(key) = key(pressed.code, pressed.modifiers)
                && view.key(key, &mut model) == Some(Request::Quit)
            {
                return Ok(());
            }
            screen.draw(|frame| view.draw(frame, &model))?;
        }
    }
}

fn alert(number: u64, wall_time: Duration) -> Alert {
    Alert {
        wall_time,
        plugin: "example".to_owned(),
        name: "many-events".to_owned(),
        severity: Severity::Warning,
        is_resolved: number.is_multiple_of(300),
        summary: format!("{number} events"),
        labels: vec![("part".to_owned(), (number % 200).to_string())],
    }
}

fn row(event: &retrans_event::Event) -> CensusRow {
    CensusRow {
        peer_address: event.peer_address(),
        segments: 500,
        retransmitted_segments: 12,
        ..CensusRow::EMPTY
    }
}

/// A filter is the name of a cause here.
fn parse(text: &str) -> Result<Filter, String> {
    let kind: Kind = text.parse().map_err(|error| format!("{text}: {error}"))?;
    Ok(Filter {
        text: text.to_owned(),
        admits: Arc::new(move |event| event.kind() == kind),
    })
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char(char) if modifiers.contains(KeyModifiers::CONTROL) => Key::Control(char),
        KeyCode::Char(char) => Key::Char(char),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
