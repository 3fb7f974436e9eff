//! Where the panes are, by the size of the terminal.

use ratatui_core::layout::Rect;

/// The smallest size at which anything is shown.
const MIN_WIDTH: u16 = 12;
const MIN_HEIGHT: u16 = 3;

/// Heights of the terminal from which on a pane is there.
const SECOND_STATUS: u16 = 8;
const KEYS: u16 = 6;
const CHART: u16 = 12;
const MESSAGES: u16 = 16;
const DETAIL: u16 = 20;

/// Where the panes are. Those that do not fit are left out in this order: detail, messages, chart, the second line of
/// the status, the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// One or two lines.
    pub status: Rect,
    /// The chart.
    pub chart: Option<Rect>,
    /// The table, or what is shown instead of it.
    pub main: Rect,
    /// The selected row.
    pub detail: Option<Rect>,
    /// Alerts and lines.
    pub messages: Option<Rect>,
    /// The keys, or the line that is edited.
    pub keys: Option<Rect>,
}

impl Layout {
    /// The layout of a terminal. Without `has_table` there are a status, one pane and the keys. `has_editor`: the line
    /// of the keys is needed. `None`: it is too small for anything.
    pub fn of(area: Rect, has_table: bool, has_editor: bool) -> Option<Layout> {
        let Rect { width, height, .. } = area;
        if width < MIN_WIDTH || height < MIN_HEIGHT {
            return None;
        }
        let with = |is_there: bool, lines: u16| if is_there { lines } else { 0 };
        let status = 1 + with(height >= SECOND_STATUS, 1);
        let keys = with(height >= KEYS || has_editor, 1);
        let chart = with(has_table && height >= CHART, (height / 4).clamp(4, 12));
        let messages = with(has_table && height >= MESSAGES, (height / 6).clamp(3, 10));
        let detail = with(has_table && height >= DETAIL, detail_height(height));
        let main = height - status - keys - chart - messages - detail;
        let mut top = area.y;
        let mut next = |lines: u16| {
            let area = Rect {
                y: top,
                height: lines,
                ..area
            };
            top += lines;
            area
        };
        let some = |area: Rect| (area.height > 0).then_some(area);
        Some(Layout {
            status: next(status),
            chart: some(next(chart)),
            main: next(main),
            detail: some(next(detail)),
            messages: some(next(messages)),
            keys: some(next(keys)),
        })
    }
}

/// Three lines; more if there is room for a plot.
fn detail_height(height: u16) -> u16 {
    match height {
        ..34 => 3,
        height => (height / 4).clamp(8, 12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_cover_every_size_and_the_table_has_rows() {
        for (width, height) in (0..130).flat_map(|width| (0..70).map(move |height| (width, height)))
        {
            let area = Rect::new(0, 0, width, height);
            for (has_table, has_editor) in [(true, false), (true, true), (false, false)] {
                let Some(layout) = Layout::of(area, has_table, has_editor) else {
                    assert!(width < MIN_WIDTH || height < MIN_HEIGHT);
                    continue;
                };
                let Layout {
                    status,
                    chart,
                    main,
                    detail,
                    messages,
                    keys,
                } = layout;
                let others = [chart, Some(main), detail, messages, keys];
                let mut end = status.bottom();
                for pane in others.into_iter().flatten() {
                    assert_eq!((pane.y, pane.width), (end, width));
                    end = pane.bottom();
                }
                assert_eq!(end, height);
                let rows = if height < 6 { 1 } else { 4 };
                assert!(main.height >= rows, "{width}x{height}: {layout:?}");
            }
        }
    }

    #[test]
    fn panes_are_left_out_in_a_fixed_order() {
        let panes = |height| {
            let layout = Layout::of(Rect::new(0, 0, 80, height), true, false).expect("it fits");
            let Layout {
                status,
                chart,
                detail,
                messages,
                keys,
                ..
            } = layout;
            let there = [detail, messages, chart].map(|pane| pane.is_some());
            (there, status.height, keys.is_some())
        };
        assert_eq!(panes(24), ([true, true, true], 2, true));
        assert_eq!(panes(19), ([false, true, true], 2, true));
        assert_eq!(panes(15), ([false, false, true], 2, true));
        assert_eq!(panes(11), ([false, false, false], 2, true));
        assert_eq!(panes(7), ([false, false, false], 1, true));
        assert_eq!(panes(5), ([false, false, false], 1, false));
    }
}
