//! A module that starts well, and then calls the host with arbitrary arguments.
//!
//! Random code hardly ever gets beyond `describe`: this does, and its memory is what the input says.

use std::fmt::Write as _;

use arbitrary::Result;
use arbitrary::Unstructured;

/// The host's functions, and what each takes and returns once it is flattened to core types.
const IMPORTS: [(&str, &[&str], &str); 9] = [
    ("layout", &["i32"], ""),
    ("labels", &["i32"], ""),
    ("lost", &[], "(result i64)"),
    ("change", &["i32"; 4], ""),
    ("annotate", &["i32"; 8], ""),
    ("emit", &["i32"; 10], ""),
    ("write", &["i32"; 2], ""),
    ("count", &["i32", "i32", "i64"], ""),
    ("log", &["i32"; 3], ""),
];

/// Exports with a script, and how many of them each world has.
const SCRIPTS: [(&str, &str); 5] = [
    ("processor@0.1.0#process", "i32 i32 i32 i32"),
    ("timer@0.1.0#tick", "i64"),
    ("timer@0.1.0#finish", "i64"),
    ("state@0.1.0#save", ""),
    ("state@0.1.0#restore", "i32 i32 i32"),
];

/// The world by its place among those of the target: the first has one script, the last has all.
pub fn module(world: usize, bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let scripts = &SCRIPTS[..[1, 3, 5][world.min(2)]];
    let mut text = String::from("(module\n");
    for (name, parameters, result) in IMPORTS {
        let parameters = parameters.join(" ");
        line(
            &mut text,
            format_args!(
                r#"(import "retrans:plugin/host@0.1.0" "{name}" (func ${name} (param {parameters}) {result}))"#
            ),
        );
    }
    // The first page is the input's, the second is zero, and the rest takes what the host hands over.
    text.push_str(
        r#"(memory (export "memory") 8)
        (func (export "retrans:plugin/processor@0.1.0#describe") (result i32) i32.const 0x10000)
        (func (export "retrans:plugin/processor@0.1.0#configure") (param i32 i32) (result i32)
            i32.const 0x10000)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0x20000)
        "#,
    );
    for (name, parameters) in scripts {
        line(
            &mut text,
            format_args!(
                r#"(func (export "retrans:plugin/{name}") (param {parameters}) (result i32)"#
            ),
        );
        for _ in 0..bytes.int_in_range(0..=4)? {
            act(&mut text, bytes)?;
        }
        // Of the answer nothing but its place is known. In the second page it is a good one.
        let answer = match bytes.arbitrary()? {
            true => 0x10000,
            false => u32::from(bytes.arbitrary::<u16>()?) & !7,
        };
        line(&mut text, format_args!("i32.const {answer})"));
    }
    let at: u16 = bytes.int_in_range(0..=64)?;
    text.push_str(&format!("(data (i32.const {at}) \""));
    let room = usize::from(u16::MAX - at);
    let data = bytes.bytes(bytes.len().min(room))?;
    for byte in data {
        let _ = write!(text, "\\{byte:02x}");
    }
    text.push_str("\"))");
    Ok(wat::parse_str(&text).expect("the text is a module"))
}

/// One thing that a script does: most often it calls the host.
fn act(text: &mut String, bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.arbitrary::<u8>()? {
        0xff => line(text, format_args!("(loop $ever br $ever)")),
        0xfe => line(text, format_args!("unreachable")),
        0xfd => {
            let pages: u16 = bytes.arbitrary()?;
            line(text, format_args!("i32.const {pages} memory.grow drop"));
        }
        _ => {
            let (name, parameters, result) = *bytes.choose(&IMPORTS)?;
            for (place, parameter) in parameters.iter().enumerate() {
                let number = match bytes.arbitrary::<u8>()? {
                    0 => bytes.arbitrary::<u32>()?,
                    // Pointers and lengths come by turns in nearly all of them.
                    _ if place % 2 == 0 => u32::from(bytes.arbitrary::<u8>()?) & !3,
                    small => u32::from(small % 16),
                };
                line(text, format_args!("{parameter}.const {number}"));
            }
            line(text, format_args!("call ${name}"));
            if !result.is_empty() {
                line(text, format_args!("drop"));
            }
        }
    }
    Ok(())
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}
