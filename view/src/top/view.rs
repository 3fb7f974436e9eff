//! The state of what is shown, and how keys change it.

use std::fmt;

use super::editor::Edited;
use super::editor::Editor;
use super::keys::Key;
use super::model::Filter;
use super::model::Model;
use super::order::Order;
use super::tables::GROUPINGS;
use super::theme::Theme;
use crate::key::Key as RowKey;
use crate::key::Part;

/// Lengths of the intervals of the chart in seconds.
pub const STEPS: [u64; 6] = [1, 2, 5, 10, 30, 60];

/// Reads a filter as the command line has it.
pub type ParseFilter = Box<dyn Fn(&str) -> Result<Filter, String> + Send>;

/// What the program is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To end.
    Quit,
    /// To begin or end a recording.
    Record,
}

/// What is shown instead of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// Nothing.
    #[default]
    Table,
    /// The keys.
    Help,
    /// Alerts and lines.
    Log,
    /// The events of the selected row.
    Events,
}

/// A place in a list that may grow at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scroll {
    /// Lines above the end of the list; or, for the help, lines below its start.
    pub lines: usize,
    /// Columns at the left that are not shown.
    pub columns: usize,
}

/// What is shown.
pub struct View {
    pub(super) theme: Theme,
    parse: ParseFilter,
    pub(super) order: Order,
    pub(super) grouping: usize,
    /// The selected row. `None`: the first one.
    pub(super) selected: Option<RowKey>,
    /// The place of the selected row when it was drawn.
    pub(super) place: usize,
    /// By how many rows the selection is to be moved when the table is drawn next.
    pub(super) shift: isize,
    /// Rows of the table when it was drawn, less one: what a page is.
    pub(super) page: usize,
    pub(super) pane: Pane,
    pub(super) scroll: Scroll,
    pub(super) editor: Option<Editor>,
    pub(super) step: usize,
    /// A copy of what was known when the view was frozen.
    pub(super) frozen: Option<Box<Model>>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("order", &self.order)
            .field("grouping", &self.part())
            .field("pane", &self.pane)
            .finish_non_exhaustive()
    }
}

impl View {
    /// Shows peers, sorted by segments. `parse` reads filters.
    pub fn new(theme: Theme, parse: ParseFilter) -> View {
        View {
            theme,
            parse,
            order: Order::default(),
            grouping: 0,
            selected: None,
            place: 0,
            shift: 0,
            page: 1,
            pane: Pane::default(),
            scroll: Scroll::default(),
            editor: None,
            step: 0,
            frozen: None,
        }
    }

    /// What rows are grouped by.
    pub fn part(&self) -> Part {
        GROUPINGS[self.grouping]
    }

    /// What is shown: the copy of a frozen view, else `model`.
    pub fn shown<'a>(&'a self, model: &'a Model) -> &'a Model {
        self.frozen.as_deref().unwrap_or(model)
    }

    /// Whether the view is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Takes a key. Returns what is asked of the program.
    pub fn key(&mut self, key: Key, model: &mut Model) -> Option<Request> {
        if let Some(editor) = &mut self.editor {
            match editor.key(key) {
                Edited::Goes => {}
                Edited::GivenUp => self.editor = None,
                Edited::Done(text) => self.filter(&text, model),
            }
            return None;
        }
        match key {
            Key::Char('q') | Key::Control('c') => return Some(Request::Quit),
            Key::Char('r') => return Some(Request::Record),
            Key::Char('p' | ' ') => {
                self.frozen = match self.frozen {
                    Some(_) => None,
                    None => Some(Box::new(model.clone())),
                };
            }
            Key::Char('?' | 'h') => self.toggle(Pane::Help),
            Key::Char('l') => self.toggle(Pane::Log),
            Key::Enter => {
                if self.pane == Pane::Table {
                    self.select(model);
                }
                self.toggle(Pane::Events);
            }
            Key::Escape if self.pane != Pane::Table => self.toggle(self.pane),
            Key::Char('/') => {
                let filtered = self.shown(model).filtered();
                let text = filtered.map(|filtered| filtered.filter.text.clone());
                self.editor = Some(Editor::new(&text.unwrap_or_default()));
            }
            Key::Char('+') => self.step = (self.step + 1).min(STEPS.len() - 1),
            Key::Char('-') => self.step = self.step.saturating_sub(1),
            key => match self.pane {
                Pane::Table => self.table_key(key),
                _ => self.scroll_key(key),
            },
        }
        None
    }

    /// Moves the selection now: the next frame does not show the table.
    fn select(&mut self, model: &Model) {
        let frozen = self.frozen.take();
        self.resolve_selection(frozen.as_deref().unwrap_or(model));
        self.frozen = frozen;
    }

    fn toggle(&mut self, pane: Pane) {
        self.pane = match self.pane == pane {
            true => Pane::Table,
            false => pane,
        };
        self.scroll = Scroll::default();
    }

    fn table_key(&mut self, key: Key) {
        let page = self.page as isize;
        match key {
            Key::Char('s') => self.order = self.order.moved(1),
            Key::Char('S') => self.order = self.order.moved(-1),
            Key::Char('g') => self.group_by((self.grouping + 1) % GROUPINGS.len()),
            Key::Char('G') => {
                self.group_by((self.grouping + GROUPINGS.len() - 1) % GROUPINGS.len());
            }
            Key::Char(digit @ '1'..='9') => self.group_by(digit as usize - '1' as usize),
            Key::Down | Key::Char('j') => self.shift += 1,
            Key::Up | Key::Char('k') => self.shift -= 1,
            Key::PageDown => self.shift += page,
            Key::PageUp => self.shift -= page,
            Key::End => self.shift = isize::MAX / 2,
            Key::Home | Key::Escape => {
                self.selected = None;
                self.shift = 0;
            }
            _ => {}
        }
    }

    fn group_by(&mut self, grouping: usize) {
        if self.grouping != grouping {
            self.grouping = grouping;
            self.selected = None;
        }
    }

    /// Scrolls a pane. What is beyond its ends is found when it is drawn.
    fn scroll_key(&mut self, key: Key) {
        let Scroll { lines, columns } = self.scroll;
        // The help begins at its top, the others at their end.
        let (further, nearer) = match self.pane {
            Pane::Help => (Key::Down, Key::Up),
            _ => (Key::Up, Key::Down),
        };
        let key = match key {
            Key::Char('k') => Key::Up,
            Key::Char('j') => Key::Down,
            key => key,
        };
        let page = self.page.max(1);
        self.scroll.lines = match key {
            key if key == further => lines + 1,
            key if key == nearer => lines.saturating_sub(1),
            Key::PageUp if self.pane == Pane::Help => lines.saturating_sub(page),
            Key::PageDown if self.pane == Pane::Help => lines + page,
            Key::PageUp => lines + page,
            Key::PageDown => lines.saturating_sub(page),
            Key::Home if self.pane != Pane::Help => usize::MAX / 2,
            Key::Home | Key::End => 0,
            _ => lines,
        };
        self.scroll.columns = match key {
            Key::Right => columns + 8,
            Key::Left => columns.saturating_sub(8),
            _ => columns,
        };
    }

    /// Sets the filter of an edited line, or shows why it is none.
    fn filter(&mut self, text: &str, model: &mut Model) {
        let text = text.trim();
        let filter = match text.is_empty() {
            true => None,
            false => match (self.parse)(text) {
                Ok(filter) => Some(filter),
                Err(error) => {
                    let editor = self.editor.get_or_insert_default();
                    editor.error = Some(super::text::clean(error));
                    return;
                }
            },
        };
        self.editor = None;
        if let Some(frozen) = &mut self.frozen {
            frozen.filter(filter.clone());
        }
        model.filter(filter);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use retrans_event::synth::Synth;

    use super::super::model::Source;
    use super::super::theme::Colours;
    use super::*;

    fn parse(text: &str) -> Result<Filter, String> {
        let port: u16 = text.parse().map_err(|_| format!("{text}: no port\x1b"))?;
        Ok(Filter {
            text: text.to_owned(),
            admits: Arc::new(move |event| event.peer_port() == port),
        })
    }

    fn view() -> View {
        let theme = Theme {
            colours: Colours::None,
            has_unicode: true,
        };
        View::new(theme, Box::new(parse))
    }

    fn model() -> Model {
        let mut model = Model::new(Source::Live("btf".to_owned()));
        Synth::new(1)
            .take(100)
            .for_each(|event| model.event(&event, ""));
        model
    }

    fn typed(view: &mut View, model: &mut Model, text: &str) {
        for char in text.chars() {
            let key = match char {
                '\n' => Key::Enter,
                char => Key::Char(char),
            };
            assert_eq!(view.key(key, model), None);
        }
    }

    #[test]
    fn a_frozen_view_stays_while_the_model_goes_on() {
        let (mut view, mut model) = (view(), model());
        typed(&mut view, &mut model, "p");
        for event in Synth::new(2).take(50) {
            model.event(&event, "");
        }
        assert_eq!(view.shown(&model).all().total.sums.events, 100);
        // Filters work on what is frozen, and on what goes on.
        typed(&mut view, &mut model, "/443\n");
        let frozen = view.shown(&model).shown().total.sums.events;
        assert!((1..100).contains(&frozen), "{frozen}");
        typed(&mut view, &mut model, " ");
        let now = view.shown(&model).shown().total.sums.events;
        assert!((frozen..150).contains(&now), "{now}");
        assert_eq!(view.shown(&model).all().total.sums.events, 150);
    }

    #[test]
    fn a_wrong_filter_keeps_the_line_and_the_filter_before() {
        let (mut view, mut model) = (view(), model());
        typed(&mut view, &mut model, "/443\n/");
        let text = |view: &View| view.editor.as_ref().map(Editor::parts);
        assert_eq!(text(&view), Some(("443".to_owned(), String::new())));
        typed(&mut view, &mut model, "x\n");
        let error = view.editor.as_ref().and_then(|editor| editor.error.clone());
        assert_eq!(error, Some("443x: no port�".to_owned()));
        assert!(model.filtered().is_some());
        assert_eq!(view.key(Key::Escape, &mut model), None);
        assert_eq!(text(&view), None);
        assert!(model.filtered().is_some());
        typed(&mut view, &mut model, "/");
        view.key(Key::Control('u'), &mut model);
        typed(&mut view, &mut model, " \n");
        assert!(model.filtered().is_none());
    }

    #[test]
    fn keys_in_a_filter_are_text() {
        let (mut view, mut model) = (view(), model());
        typed(&mut view, &mut model, "/qrp?l");
        assert_eq!(view.pane, Pane::Table);
        assert!(!view.is_frozen());
    }

    #[test]
    fn keys_ask_the_program_and_open_panes() {
        let (mut view, mut model) = (view(), model());
        for key in [Key::Char('q'), Key::Control('c')] {
            assert_eq!(view.key(key, &mut model), Some(Request::Quit));
        }
        assert_eq!(view.key(Key::Char('r'), &mut model), Some(Request::Record));
        for (keys, pane) in [
            ("?", Pane::Help),
            ("h", Pane::Table),
            ("\n", Pane::Events),
            ("l", Pane::Log),
            ("l", Pane::Table),
        ] {
            typed(&mut view, &mut model, keys);
            assert_eq!(view.pane, pane, "{keys:?}");
        }
        typed(&mut view, &mut model, "?");
        view.key(Key::Escape, &mut model);
        assert_eq!(view.pane, Pane::Table);
    }

    #[test]
    fn digits_and_letters_group_and_sort() {
        let (mut view, mut model) = (view(), model());
        for (keys, part) in [
            ("2", Part::Process),
            ("g", Part::Container),
            ("g", Part::Connection),
            ("1G", Part::CongestionControl),
            ("9", Part::Netns),
        ] {
            typed(&mut view, &mut model, keys);
            assert_eq!(view.part(), part, "{keys}");
        }
        typed(&mut view, &mut model, "sss");
        assert_eq!(view.order, Order::LongRate);
        typed(&mut view, &mut model, "S0x");
        assert_eq!(view.order, Order::Rate);
    }
}
