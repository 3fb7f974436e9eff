//! Generates a module that starts without errors, and then calls the host with arbitrary arguments.
//!
//! Random code hardly ever gets beyond `describe`. This module does, and the input determines
//! the contents of its memory.

use std::fmt::Write as _;

use arbitrary::Result;
use arbitrary::Unstructured;

/// The host's functions with their parameters and results, flattened to core types.
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

/// Exports whose code is a script, with their parameters.
const SCRIPTS: [(&str, &str); 5] = [
    ("processor@0.1.0#process", "i32 i32 i32 i32"),
    ("timer@0.1.0#tick", "i64"),
    ("timer@0.1.0#finish", "i64"),
    ("state@0.1.0#save", ""),
    ("state@0.1.0#restore", "i32 i32 i32"),
];

/// Generates a module for a world, given by its index among the worlds of the target. The first
/// world has one script, the last has all.
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
    // The first page of memory has data from the input, the second is zero, and the host's
    // values are passed in the rest.
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
            step(&mut text, bytes)?;
        }
        // The script returns a pointer to its answer. In the second page, which is zero, the answer is a valid one.
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

/// Generates one step of a script: most often a call to the host.
fn step(text: &mut String, bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.arbitrary::<u8>()? {
        0xff => line(text, format_args!("(loop $forever br $forever)")),
        0xfe => line(text, format_args!("unreachable")),
        0xfd => {
            let pages: u16 = bytes.arbitrary()?;
            line(text, format_args!("i32.const {pages} memory.grow drop"));
        }
        _ => {
            let (name, parameters, result) = *bytes.choose(&IMPORTS)?;
            for (index, parameter) in parameters.iter().enumerate() {
                let number = match bytes.arbitrary::<u8>()? {
                    0 => bytes.arbitrary::<u32>()?,
                    // In nearly all functions, pointers and lengths alternate.
                    _ if index % 2 == 0 => u32::from(bytes.arbitrary::<u8>()?) & !3,
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
