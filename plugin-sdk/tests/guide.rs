//! The larger code blocks of `docs/writing-plugins.md` are the SDK's examples. The other blocks are doc tests
//! of `tests/guide`.

#![allow(missing_docs)]

mod markdown;

use markdown::has_anchor;

const GUIDE: &str = include_str!("../../docs/writing-plugins.md");

/// The guide's Rust blocks that contain this text.
fn blocks(with: &str) -> Vec<&'static str> {
    let blocks = GUIDE.split("```rust\n").skip(1);
    let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    blocks.filter(|block| block.contains(with)).collect()
}

/// The code of an example, without the doc comment in its first line.
fn code(example: &str) -> &str {
    example.split_once("\n\n").map_or("", |(_, code)| code)
}

#[test]
fn the_guides_first_plugin_is_the_example() {
    let example = code(include_str!("../examples/https_only.rs"));
    assert_eq!(blocks("filter!("), [example]);
}

#[test]
fn the_guides_second_plugin_and_its_test_are_the_example() {
    let shown = [blocks("struct Burst"), blocks("run::<Burst>")].concat();
    assert_eq!(shown.join("\n"), code(include_str!("../examples/burst.rs")));
}

#[test]
fn the_tutorials_plugin_is_the_one_that_the_host_makes() {
    let template = include_str!("../../host/commands/plugin/new/templates/alert.rs");
    let (plugin, _) = template
        .split_once("\n#[cfg(test)]")
        .expect("it has a test");
    let (_, plugin) = plugin.split_once("\n\n").expect("it has a comment");
    assert_eq!(blocks("struct SlowPeers"), [plugin]);
}

#[test]
fn the_guides_alert_that_names_an_owner_is_tested() {
    let shown = blocks("event.owner()");
    assert_eq!(shown.len(), 1);
    assert!(include_str!("owner.rs").contains(code(shown[0])));
}

#[test]
fn every_link_within_the_guide_has_its_heading() {
    let links = GUIDE.split("](#").skip(1);
    let anchors: Vec<&str> = links
        .filter_map(|link| Some(link.split_once(')')?.0))
        .collect();
    assert!(anchors.len() > 8);
    for anchor in anchors {
        assert!(has_anchor(GUIDE, anchor), "no heading for #{anchor}");
    }
}
