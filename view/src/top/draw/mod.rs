//! Draws what is shown, each pane in a module of its own.

mod ascii;
mod chart;
mod detail;
mod events;
mod help;
mod keys;
mod layout;
mod log;
mod pen;
mod status;
mod table;

use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::terminal::Frame;

use self::layout::Layout;
use self::pen::Pen;
use super::model::Model;
use super::theme::Theme;
use super::view::Pane;
use super::view::View;

/// What panes are drawn from.
#[derive(Clone, Copy)]
struct Scene<'a> {
    /// What is shown: frozen, if the view is.
    model: &'a Model,
    /// What is known now.
    live: &'a Model,
    is_frozen: bool,
    theme: Theme,
}

impl View {
    /// Draws what is shown into a frame. What does not fit is left out, in a fixed order.
    pub fn draw(&mut self, frame: &mut Frame<'_>, model: &Model) {
        let frozen = self.frozen.take();
        let scene = Scene {
            model: frozen.as_deref().unwrap_or(model),
            live: model,
            is_frozen: frozen.is_some(),
            theme: self.theme,
        };
        let area = frame.area();
        match Layout::of(area, self.pane == Pane::Table, self.editor.is_some()) {
            Some(layout) => self.draw_panes(frame, &layout, scene),
            None => {
                let text = "too small: enlarge the terminal, or press q";
                Pen::new(frame.buffer_mut()).put(area, text, Style::new());
            }
        }
        if !self.theme.has_unicode {
            ascii::restrict(frame.buffer_mut());
        }
        self.frozen = frozen;
    }

    fn draw_panes(&mut self, frame: &mut Frame<'_>, layout: &Layout, scene: Scene<'_>) {
        // A closed pane leaves nothing behind: the buffer of a frame is empty.
        let buffer = frame.buffer_mut();
        status::draw(buffer, layout.status, scene);
        self.page = usize::from(layout.main.height.saturating_sub(2)).max(1);
        match self.pane {
            Pane::Table => {
                self.resolve_selection(scene.model);
                if let Some(area) = layout.chart {
                    chart::draw(buffer, area, scene, self.step);
                }
                self.draw_table(buffer, layout.main, scene);
                if let Some(area) = layout.detail {
                    self.draw_detail(buffer, area, scene);
                }
                if let Some(area) = layout.messages {
                    log::draw_short(buffer, area, scene);
                }
            }
            Pane::Help => self.draw_help(buffer, layout.main),
            Pane::Log => self.draw_log(buffer, layout.main, scene),
            Pane::Events => self.draw_events(buffer, layout.main, scene),
        }
        let Some(area) = layout.keys else { return };
        match &self.editor {
            Some(editor) => {
                let cursor = keys::draw_editor(buffer, area, layout.main, editor, self.theme);
                frame.set_cursor_position(cursor);
            }
            None => keys::draw(buffer, area, self.pane, self.theme),
        }
    }
}

/// The first line of an area, and the rest.
fn split_line(area: Rect) -> (Rect, Rect) {
    let height = area.height.min(1);
    let line = Rect { height, ..area };
    let rest = Rect {
        y: area.y + height,
        height: area.height - height,
        ..area
    };
    (line, rest)
}
