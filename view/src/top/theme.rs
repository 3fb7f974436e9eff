//! Colours and characters, as the terminal has them.

use ratatui_core::style::Color;
use ratatui_core::style::Modifier;
use ratatui_core::style::Style;

use super::messages::Severity;
use crate::palette::Look;

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colours {
    /// None, or none are wanted: styles and letters tell what colours would.
    None,
    /// 16.
    Basic,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Its colours.
    pub colours: Colours,
    /// Whether it shows characters that are not ASCII.
    pub has_unicode: bool,
}

impl Theme {
    /// What a terminal can show, as the values of these environment variables tell: NO_COLOR, TERM, COLORTERM, and the
    /// first of LC_ALL, LC_CTYPE and LANG that is not empty.
    pub fn of(no_color: &str, term: &str, colorterm: &str, locale: &str) -> Theme {
        let locale = locale.to_lowercase();
        let is_without = |term: &str| {
            let number = term.strip_prefix("vt").and_then(|rest| rest.chars().next());
            let has_number = number.is_some_and(|char| char.is_ascii_digit());
            has_number
                || ["dumb", "unknown"].contains(&term)
                || term.ends_with("-m")
                || term.ends_with("-mono")
        };
        let colours = if !no_color.is_empty() || term.is_empty() || is_without(term) {
            Colours::None
        } else if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
            Colours::True
        } else if term.contains("256color") {
            Colours::Indexed
        } else {
            Colours::Basic
        };
        Theme {
            colours,
            has_unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// The colour of a cause; `None` without colours.
    pub fn cause(self, look: &Look) -> Option<Color> {
        let [red, green, blue] = look.colour.rgb;
        match self.colours {
            Colours::None => None,
            Colours::Basic => Some(Color::Indexed(look.colour.basic)),
            Colours::Indexed => Some(Color::Indexed(look.colour.indexed)),
            Colours::True => Some(Color::Rgb(red, green, blue)),
        }
    }

    /// The style of a letter that stands for a cause.
    pub fn letter(self, look: &Look) -> Style {
        match self.cause(look) {
            Some(colour) => Style::new().fg(colour),
            None => Style::new(),
        }
    }

    /// The style of the title of a pane.
    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The style of what is important.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The style of a selected row.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The style of an alert that fires.
    pub fn severity(self, severity: Severity) -> Style {
        let style = match severity {
            Severity::Info => return Style::new(),
            Severity::Warning => Style::new().add_modifier(Modifier::BOLD),
            Severity::Critical => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        };
        match (self.colours, severity) {
            (Colours::None, _) => style,
            (_, Severity::Critical) => style.fg(Color::Red),
            _ => style.fg(Color::Yellow),
        }
    }

    /// The style of a problem: losses, an error.
    pub fn problem(self) -> Style {
        self.severity(Severity::Warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_tells_what_a_terminal_can_show() {
        use Colours::Basic;
        use Colours::Indexed;
        use Colours::True;
        let utf8 = "en_US.UTF-8";
        for (no_color, term, colorterm, expected) in [
            ("", "xterm", "", Basic),
            ("", "linux", "", Basic),
            ("", "xterm-256color", "", Indexed),
            ("", "tmux-256color", "truecolor", True),
            ("", "xterm-direct", "", True),
            ("1", "xterm-256color", "truecolor", Colours::None),
            ("", "vt100", "truecolor", Colours::None),
            ("", "xterm-mono", "", Colours::None),
            ("", "vte-256color", "", Indexed),
            ("", "dumb", "", Colours::None),
            ("", "", "", Colours::None),
        ] {
            let theme = Theme::of(no_color, term, colorterm, utf8);
            assert_eq!(theme.colours, expected, "{no_color:?} {term} {colorterm}");
            assert!(theme.has_unicode);
        }
        for locale in ["", "C", "POSIX", "de_DE.ISO-8859-1"] {
            assert!(!Theme::of("", "xterm", "", locale).has_unicode, "{locale}");
        }
        assert!(Theme::of("", "xterm", "", "C.utf8").has_unicode);
    }
}
