//! For terminals that show ASCII alone.

use ratatui_core::buffer::Buffer;

/// Replaces all other characters.
pub fn restrict(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if symbol.is_ascii() {
            continue;
        }
        let replacement = match symbol {
            "…" => '~',
            "▼" => 'v',
            "│" => '|',
            "─" => '-',
            _ => '?',
        };
        cell.set_char(replacement);
    }
}
