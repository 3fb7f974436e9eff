//! What the live view shows at some sizes of a terminal, cell by cell.
//!
//! The screens are in `tests/screens`. After a wanted change, `WRITE_SCREENS=1 cargo test -p retrans-view --features
//! top
//! --test screens` writes them anew; look at the differences.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Color;
use ratatui_core::style::Modifier;
use ratatui_core::terminal::Terminal;
use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::Owner;
use retrans_event::Process;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_view::top::Alert;
use retrans_view::top::Colours;
use retrans_view::top::Filter;
use retrans_view::top::Key;
use retrans_view::top::Model;
use retrans_view::top::Recording;
use retrans_view::top::Severity;
use retrans_view::top::Source;
use retrans_view::top::Theme;
use retrans_view::top::View;

const MONOCHROME: Theme = Theme {
    colours: Colours::None,
    has_unicode: true,
};
const COLOURFUL: Theme = Theme {
    colours: Colours::Indexed,
    has_unicode: true,
};

/// A view of a model on a terminal.
struct Screen {
    terminal: Terminal<TestBackend>,
    view: View,
    model: Model,
}

impl Screen {
    fn new(theme: Theme, (width, height): (u16, u16), model: Model) -> Screen {
        Screen {
            terminal: Terminal::new(TestBackend::new(width, height)).expect("memory"),
            view: View::new(theme, Box::new(parse)),
            model,
        }
    }

    fn press(&mut self, keys: &[Key]) {
        for key in keys {
            self.view.key(*key, &mut self.model);
        }
    }

    fn draw(&mut self) -> &Buffer {
        let (view, model) = (&mut self.view, &self.model);
        let drawn = self.terminal.draw(|frame| view.draw(frame, model));
        drawn.expect("memory");
        self.terminal.backend().buffer()
    }

    /// The lines that are shown, without spaces at their ends.
    fn text(&mut self) -> String {
        let buffer = self.draw();
        let mut text = String::new();
        for line in buffer.content.chunks(buffer.area.width.into()) {
            let line: String = line.iter().map(|cell| cell.symbol()).collect();
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// Compares what is shown with the file.
    #[track_caller]
    fn assert_is(&mut self, name: &str) {
        let shown = self.text();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/screens")
            .join(name);
        if env::var_os("WRITE_SCREENS").is_some() {
            fs::write(&path, &shown).expect("it can be written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(shown == expected, "{name} is not what is shown:\n{shown}");
    }
}

fn parse(text: &str) -> Result<Filter, String> {
    let kind: Kind = text.parse().map_err(|error| {
        format!("--kind {text}: {error}; one of fast, loss_recovery, timeout, tail_loss_probe, syn, syn_ack")
    })?;
    Ok(Filter {
        text: text.to_owned(),
        admits: Arc::new(move |event| event.kind() == kind),
    })
}

/// 2,000 events of 60 connections in twenty seconds, a loss, a census, alerts and lines.
fn model() -> Model {
    let mut model = Model::new(Source::Replay {
        files: vec!["captures/lossy.rtc".into(), "b.rtc".into()],
        speed: Some(10.0),
    });
    model.host = Some("web1".to_owned());
    model.record(Recording::Off);
    model.progress = Some(0.45);
    for (number, event) in (0..).zip(Synth::with_connections(7, 60).take(2_000)) {
        model.event(&event, "");
        if number == 1_000 {
            model.lost(12);
        }
    }
    model.census((0..40).map(|number| CensusRow {
        peer_address: std::net::Ipv4Addr::new(10, 2, 0, number).into(),
        segments: 2_000,
        retransmitted_segments: 10 * u64::from(number),
        ..CensusRow::EMPTY
    }));
    for (number, severity) in [(1, Severity::Warning), (2, Severity::Critical)] {
        model.alert(&Alert {
            wall_time: model.now,
            plugin: "threshold-alert".to_owned(),
            name: "retransmit-threshold".to_owned(),
            severity,
            is_resolved: false,
            summary: format!("{number} segments retransmitted"),
            labels: vec![("peer".to_owned(), format!("10.2.0.{number}"))],
        });
    }
    model.log("INFO plugin flow-summary: a line\nWARN another one");
    model
}

#[test]
fn everything_is_there_at_80x24() {
    Screen::new(MONOCHROME, (80, 24), model()).assert_is("80x24.txt");
}

#[test]
fn there_are_more_columns_and_a_plot_at_120x40() {
    let mut screen = Screen::new(MONOCHROME, (120, 40), model());
    screen.press(&[Key::Char('4')]);
    screen.assert_is("120x40.txt");
}

#[test]
fn colours_fill_cells_in_eighths() {
    Screen::new(COLOURFUL, (80, 24), model()).assert_is("80x24-colours.txt");
}

#[test]
fn a_terminal_with_ascii_alone_shows_ascii_alone() {
    let theme = Theme {
        has_unicode: false,
        ..COLOURFUL
    };
    let mut screen = Screen::new(theme, (80, 24), model());
    screen.assert_is("80x24-ascii.txt");
    assert!(screen.text().is_ascii());
}

#[test]
fn a_small_terminal_has_a_table() {
    Screen::new(MONOCHROME, (40, 12), model()).assert_is("40x12.txt");
    Screen::new(MONOCHROME, (20, 5), model()).assert_is("20x5.txt");
    let text = Screen::new(MONOCHROME, (11, 2), model()).text();
    assert_eq!(text, "too small:…\n\n");
}

#[test]
fn no_size_is_too_small_or_too_large_for_any_pane() {
    let mut screen = Screen::new(COLOURFUL, (80, 24), model());
    let sizes = (0..45).chain([80, 200]);
    for (width, height) in sizes
        .clone()
        .flat_map(|width| [(width, 200 - width), (width, width), (width, 3)])
    {
        screen.terminal.backend_mut().resize(width, height);
        for keys in ["", "?", "?l", "l", "l/ééé", "zz\n", "\u{1b}"] {
            let keys = keys.chars().map(|char| match char {
                '\n' => Key::Enter,
                '\u{1b}' => Key::Escape,
                char => Key::Char(char),
            });
            let keys: Vec<_> = keys.collect();
            screen.press(&keys);
            screen.press(&[Key::Down, Key::PageDown, Key::Right]);
            screen.draw();
        }
        screen.press(&[Key::Escape, Key::Escape, Key::Enter]);
        screen.draw();
        screen.press(&[Key::Escape]);
    }
}

#[test]
fn panes_open_and_scroll() {
    let mut screen = Screen::new(MONOCHROME, (80, 24), model());
    screen.press(&[Key::Char('?')]);
    screen.assert_is("help.txt");
    screen.press(&[Key::Char('l')]);
    screen.assert_is("log.txt");
    screen.press(&[Key::Escape, Key::Char('4'), Key::Down, Key::Enter]);
    screen.assert_is("events.txt");
    let first = screen.text();
    screen.press(&[Key::Up, Key::Up]);
    let above = screen.text();
    assert_ne!(first, above);
    let lines = |text: &str| text.lines().skip(4).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&first)[..15], lines(&above)[2..17]);
    screen.press(&[Key::PageDown]);
    assert_eq!(screen.text(), first);
    screen.press(&[Key::Home, Key::Up]);
    assert!(screen.text().contains(" 1-19/"), "{}", screen.text());
}

#[test]
fn the_selection_follows_its_row() {
    let mut screen = Screen::new(MONOCHROME, (80, 24), model());
    let reversed = |buffer: &Buffer| {
        let lines = buffer.content.chunks(80).skip(9).take(7);
        let selected =
            |line: &&[ratatui_core::buffer::Cell]| line[0].modifier.contains(Modifier::REVERSED);
        let mut lines = lines.enumerate().filter(|(_, line)| selected(line));
        let (place, line) = lines.next().expect("a row is selected");
        assert!(lines.next().is_none(), "one row is selected");
        (
            place,
            line.iter().map(|cell| cell.symbol()).collect::<String>(),
        )
    };
    let (place, _) = reversed(screen.draw());
    assert_eq!(place, 0);
    screen.press(&[Key::Down, Key::Down]);
    let (place, row) = reversed(screen.draw());
    assert_eq!(place, 2);
    // The next row gets ahead.
    let peer = row.split_whitespace().last().expect("a peer").to_owned();
    let text = screen.text();
    let next = text
        .lines()
        .nth(12)
        .and_then(|line| line.split_whitespace().last());
    let mut event = Record::new();
    event.set_peer_address(next.expect("a peer").parse().expect("an address"));
    event.set_segments(Some(1_000));
    event.set_wall_time(screen.model.now);
    screen.model.event(&event, "");
    let (place, row) = reversed(screen.draw());
    assert_eq!(place, 3);
    assert!(row.trim_end().ends_with(&peer), "{row}");
    screen.press(&[Key::End]);
    screen.draw();
    screen.press(&[Key::Up, Key::Home]);
    assert_eq!(reversed(screen.draw()).0, 0);
}

#[test]
fn a_filter_and_an_error_of_it_are_shown() {
    let mut screen = Screen::new(MONOCHROME, (80, 24), model());
    let typed: Vec<_> = "/slow".chars().map(Key::Char).collect();
    screen.press(&typed);
    screen.press(&[Key::Enter]);
    screen.assert_is("filter-error.txt");
    let cursor = screen.terminal.backend_mut();
    ratatui_core::backend::Backend::get_cursor_position(cursor)
        .map(|position| assert_eq!((position.x, position.y), (5, 23)))
        .expect("it has one");
    screen.press(&[Key::Control('u')]);
    screen.press(&"timeout".chars().map(Key::Char).collect::<Vec<_>>());
    screen.press(&[Key::Enter, Key::Char('p')]);
    screen.assert_is("filter.txt");
}

#[test]
fn there_is_something_to_see_without_events() {
    let mut screen = Screen::new(
        MONOCHROME,
        (80, 24),
        Model::new(Source::Live("btf".to_owned())),
    );
    screen.assert_is("no-events.txt");
    screen.press(&[Key::Enter, Key::Down]);
    screen.draw();
    screen.press(&[Key::Escape, Key::Down, Key::Char('g'), Key::Char('p')]);
    screen.draw();
    let mut event = Record::new();
    event.set_wall_time(Duration::from_secs(1_800_000_000));
    screen.model.event(&event, "");
    screen.press(&[Key::Char('p')]);
    screen.assert_is("one-event.txt");
}

#[test]
fn names_with_escape_sequences_are_text() {
    let mut model = Model::new(Source::Replay {
        files: vec!["\x1b[8m<b>x.rtc".into()],
        speed: None,
    });
    model.host = Some("\x1b]0;title\x07".to_owned());
    let mut event = Record::new();
    event.set_wall_time(Duration::from_secs(1_800_000_000));
    let mut process = Process::new(7, "\u{9b}31m中\u{301}<i>");
    process.container = "\u{202e}\x1b[2J".parse().ok();
    event.set_owner(&Owner::Held {
        process,
        holders: 1,
    });
    model.event(&event, "zone=\x1b[2J<script>&amp;");
    model.log("\x1b[2J\u{85}a\rb");
    model.record(Recording::Failed("\x1b[2J: disk full".to_owned()));
    let mut screen = Screen::new(MONOCHROME, (80, 24), model);
    for keys in [
        &[Key::Char('2')][..],
        &[Key::Enter],
        &[Key::Char('l')],
        &[Key::Escape, Key::Char('3')],
    ] {
        screen.press(keys);
        let steers = |char: char| char != '\n' && char.is_control() || char == '\u{202e}';
        let text = screen.text();
        assert!(!text.contains(steers), "{text:?}");
    }
    screen.press(&[Key::Char('2')]);
    screen.assert_is("escape-sequences.txt");
    screen.press(&[Key::Enter]);
    screen.press(&[Key::Right; 8]);
    let text = screen.text();
    assert!(text.contains("zone=�[2J<script>&amp;"), "{text}");
}

#[test]
fn without_colours_there_is_none() {
    let mut screen = Screen::new(MONOCHROME, (120, 40), model());
    for keys in [
        &[][..],
        &[Key::Char('?')],
        &[Key::Char('l')],
        &[Key::Enter],
        &[Key::Char('/')],
    ] {
        screen.press(keys);
        let buffer = screen.draw();
        let coloured =
            |cell: &ratatui_core::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        assert!(!buffer.content.iter().any(coloured), "{keys:?}");
    }
    let mut screen = Screen::new(COLOURFUL, (80, 24), model());
    let buffer = screen.draw();
    assert!(
        buffer
            .content
            .iter()
            .any(|cell| cell.fg == Color::Indexed(166))
    );
}

#[test]
fn a_recording_and_what_is_missing_are_shown() {
    let mut model = model();
    model.missed = Some(3);
    model.ratios.add([CensusRow {
        is_complete: false,
        ..CensusRow::EMPTY
    }]);
    model.end();
    model.record(Recording::On {
        events: 154,
        bytes: 13_451,
        not_recorded: 2,
    });
    Screen::new(MONOCHROME, (120, 24), model).assert_is("status.txt");
}
