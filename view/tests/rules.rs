//! `docs/report.md` has every rule. `UPDATE_DOCS=1 cargo test -p retrans-view --features report --test rules` writes them.

use std::env;
use std::fmt::Write as _;
use std::fs;

use retrans_view::report::readings::Level;
use retrans_view::report::readings::RULES;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report.md");
const BEGIN: &str = "<!-- begin rules: generated, see view/tests/rules.rs -->\n";
const END: &str = "<!-- end rules -->\n";

/// The rules as a table.
fn table() -> String {
    let mut table =
        "| rule | looks at | applies when | not known |\n| --- | --- | --- | --- |\n".to_owned();
    for rule in RULES {
        let levels: Vec<&str> = rule
            .levels
            .iter()
            .map(|level| match level {
                Level::Connection => "a connection",
                Level::Peer => "a peer",
                Level::All => "all",
            })
            .collect();
        let levels = levels.join(", ");
        writeln!(
            table,
            "| `{}` | {levels} | {} | {} |",
            rule.name, rule.when, rule.limits
        )
        .expect("a text takes it");
    }
    table
}

#[test]
fn the_document_has_every_rule() {
    let old = fs::read_to_string(PATH).expect("docs/report.md");
    let (before, rest) = old.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    let new = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(PATH, &new).expect("docs/report.md");
    } else {
        assert!(
            new == old,
            "docs/report.md is out of date: UPDATE_DOCS=1 writes it"
        );
    }
}
