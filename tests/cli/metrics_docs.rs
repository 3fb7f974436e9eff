//! `docs/metrics.md` has the table of all metrics. `UPDATE_DOCS=1 cargo test --workspace --test cli metrics_docs` writes it
//! anew.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use retrans_host::metrics::family::FAMILIES;
use retrans_host::metrics::family::Family;
use retrans_host::metrics::family::Kind;

const BEGIN: &str = "<!-- The table is generated: see tests/cli/metrics_docs.rs -->\n\n";
const END: &str = "\n<!-- The end of the table -->";

fn row(family: &Family) -> String {
    let ending = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    };
    let labels: Vec<_> = family
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    format!(
        "| `{}{ending}` | {} | {} | {} |",
        family.name,
        family.kind.name(),
        labels.join(", "),
        family.help
    )
}

#[test]
fn the_table_of_metrics_is_up_to_date() {
    let mut table = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for family in FAMILIES {
        writeln!(table, "{}", row(family)).expect("memory takes it");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let old = fs::read_to_string(&path).expect("the document");
    let (before, rest) = old.split_once(BEGIN).expect("the begin of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let new = format!("{before}{BEGIN}{table}{END}{after}");
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, new).expect("it can be written");
        return;
    }
    assert!(
        old == new,
        "docs/metrics.md is stale; run: UPDATE_DOCS=1 cargo test --workspace --test cli metrics_docs"
    );
}
