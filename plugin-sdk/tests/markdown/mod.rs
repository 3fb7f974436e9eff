//! Links within documents.

/// Does the document have a heading, of any level, that a link with this anchor leads to?
pub fn has_anchor(text: &str, anchor: &str) -> bool {
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| {
        let heading = line.trim_start_matches('#').trim();
        heading.to_lowercase().replace(' ', "-") == anchor
    })
}
