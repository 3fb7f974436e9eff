//! Writes the seeds in corpus/ that are not random bytes: `cargo run --example seeds`.

use std::fs;
use std::io;
use std::path::Path;

// Instrumented code does not link without this crate, even if it does not use it.
use libfuzzer_sys as _;
use retrans_event::CORE_SIZE;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_fuzz::forged;
use retrans_host::capture::Head;

/// Components without code: loading depends on their imports and exports only.
const COMPONENTS: [(&str, &str); 5] = [
    ("empty", "(component)"),
    ("core_module", "(module)"),
    (
        "other_version",
        r#"(component (instance $i) (export "retrans:plugin/processor@0.2.0" (instance $i)))"#,
    ),
    (
        "no_function",
        r#"(component (instance $i) (export "retrans:plugin/processor@0.1.0" (instance $i)))"#,
    ),
    (
        "import",
        r#"(component (import "wasi:cli/environment@0.2.0" (instance)) (instance $i)
            (export "retrans:plugin/processor@0.1.0" (instance $i)))"#,
    ),
];

fn main() -> io::Result<()> {
    for (name, text) in COMPONENTS {
        let component = wat::parse_str(text).map_err(io::Error::other)?;
        write("load", name, &component)?;
    }
    write("load", "text", b"(component)")?;

    let records: Vec<Record> = Synth::new(5).take(40).collect();
    for record in records.iter().step_by(13) {
        write(
            "record",
            record.kind().name().unwrap_or("other"),
            record.as_bytes(),
        )?;
    }
    write("record", "core", &records[0].as_bytes()[..CORE_SIZE])?;
    write(
        "record",
        "newer",
        &[records[0].as_bytes(), &[7; 9]].concat(),
    )?;
    let line = serde_json::to_vec(&records[0])?;
    write("record", "json", &line)?;

    let mut lines = Vec::new();
    for record in records.iter().step_by(20) {
        lines.extend(serde_json::to_vec(record)?);
        lines.extend(b"\n{\"type\":\"gap\",\"lost\":3}\n");
    }
    write("capture", "lines", &lines)?;
    let minimal = r#"{"type":"retransmit","timestamp":"2026-01-01T00:00:01Z","state":"ESTABLISHED","source":{"ip":"10.0.0.1","port":33000},"destination":{"ip":"10.0.0.2","port":443},"labels":{"zone":"eu"}}"#;
    write("capture", "least_line", minimal.as_bytes())?;
    write(
        "capture",
        "items",
        &[&[forged::ITEMS, 0, 0][..], &items(&records[..2], 0)].concat(),
    )?;
    let mut head = Head::new(None, String::new());
    head.record_size += 8;
    head.layout.reverse();
    let head = serde_json::to_vec(&head)?;
    let length = (head.len() as u16).to_le_bytes();
    let newer = [
        &[forged::ITEMS][..],
        &length,
        &head,
        &items(&records[..1], 8),
    ]
    .concat();
    write("capture", "newer", &newer)?;
    let recorded = fs::read("../tests/captures/fast.rtc")?;
    write(
        "capture",
        "frames",
        &[&[forged::FRAMES][..], &recorded].concat(),
    )
}

/// An encoded batch with a label, a mark and an end. Each record has this number of `extra` bytes.
fn items(records: &[Record], extra: usize) -> Vec<u8> {
    let mut items = vec![1];
    items.extend(5u64.to_le_bytes());
    items.extend((records.len() as u32).to_le_bytes());
    items.extend(1u32.to_le_bytes());
    for record in records {
        items.extend_from_slice(record.as_bytes());
        items.resize(items.len() + extra, 0xee);
    }
    items.extend(b"\x04\0\0\0zone\x01\0\0\0\0\0\0\0\x02\0\0\0\x02\0\0\0eu");
    for kind in [2, 3] {
        items.push(kind);
        items.extend([0, 0, 0, 0, 1, 0, 0, 0].repeat(3));
    }
    items
}

fn write(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}
