//! Checks what a component imports and exports before it is compiled, which may take half a minute. Errors say how the
//! toolchain of the plugin's language leaves out what is not offered.

use wasmparser::CanonicalFunction;
use wasmparser::Chunk;
use wasmparser::ComponentExternalKind;
use wasmparser::ComponentTypeRef;
use wasmparser::Parser;
use wasmparser::Payload;

use super::LoadError;
use super::check_version;
use crate::plugin::runtime::contract::PACKAGE;
use crate::plugin::wasi;
use crate::system::sanitize::quoted;

/// Imports of a toolchain that plugins cannot have, by the beginnings of their names, and how to leave them out.
const CURES: &[(&str, &str)] = &[
    (
        "wasi:http/",
        "; componentize-js leaves it out with `-d http fetch-event`",
    ),
    (
        "wasi:cli/run",
        "; build a library (a reactor), not a program",
    ),
];

/// How to leave out what needs WASI 0.3.
const CURE_OF_ASYNC: &str =
    "`jco componentize --backend qjs` leaves it out with `--backend-qjs-disable-async`";

/// Checks the component that these bytes are. One that cannot be read passes: the compiler reports it.
pub(super) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    let Ok(Some(interface)) = Interface::read(bytes) else {
        return Ok(());
    };
    let processor = format!("{PACKAGE}/processor@");
    let processor = interface
        .exports
        .iter()
        .find(|name| name.starts_with(&processor));
    check_version(processor.ok_or(LoadError::WrongWorld)?)?;
    for name in &interface.imports {
        check_import(name)?;
    }
    match interface.asynchronous {
        Some(function) => Err(LoadError::Async(function)),
        None => Ok(()),
    }
}

/// Checks that an import, other than of a type, is offered.
pub(super) fn check_import(name: &str) -> Result<(), LoadError> {
    if name.starts_with(&format!("{PACKAGE}/host@")) {
        return check_version(name);
    }
    match wasi::is_offered(name) {
        true => Ok(()),
        false => Err(LoadError::Import {
            name: quoted(name),
            cure: cure(name),
        }),
    }
}

/// How to leave out an import; empty if that is not known.
fn cure(name: &str) -> String {
    if name.starts_with("wasi:") && name.contains("@0.3") {
        return format!("; plugins have WASI 0.2: {CURE_OF_ASYNC}");
    }
    let known = CURES.iter().find(|(import, _)| name.starts_with(import));
    known
        .map(|(_, cure)| (*cure).to_owned())
        .unwrap_or_default()
}

/// What a component has at its outer level.
#[derive(Default)]
struct Interface<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    /// A function of the component model that needs asynchronous calls.
    asynchronous: Option<String>,
}

impl<'a> Interface<'a> {
    /// `None`: the component ends early.
    fn read(mut bytes: &'a [u8]) -> wasmparser::Result<Option<Interface<'a>>> {
        let mut interface = Interface::default();
        let mut parser = Parser::new(0);
        loop {
            let (consumed, payload) = match parser.parse(bytes, true)? {
                Chunk::Parsed { consumed, payload } => (consumed, payload),
                Chunk::NeedMoreData(_) => return Ok(None),
            };
            bytes = bytes.get(consumed..).unwrap_or_default();
            match payload {
                Payload::End(_) => return Ok(Some(interface)),
                // Of what is inside, only the size is read.
                Payload::ModuleSection {
                    unchecked_range: inside,
                    ..
                }
                | Payload::ComponentSection {
                    unchecked_range: inside,
                    ..
                } => match bytes.get(inside.len()..) {
                    Some(rest) => bytes = rest,
                    None => return Ok(None),
                },
                other => interface.add(other)?,
            }
        }
    }

    fn add(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import?;
                    // A type needs nothing of the host.
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        self.imports.push(import.name.name);
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Instance {
                        self.exports.push(export.name.name);
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    self.asynchronous = self.asynchronous.take().or(asynchronous(&function?));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The name of a function that the component model has for asynchronous calls.
fn asynchronous(function: &CanonicalFunction) -> Option<String> {
    match function {
        CanonicalFunction::Lift { .. }
        | CanonicalFunction::Lower { .. }
        | CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => None,
        CanonicalFunction::TaskCancel => Some("task.cancel".to_owned()),
        other => {
            // `ThreadIndex`, `TaskReturn { result: … }`
            let name = format!("{other:?}");
            let word: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            Some(word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(component: &str) -> Result<(), String> {
        let bytes = wat::parse_str(component).expect("it is text of a component");
        check(&bytes).map_err(|error| error.to_string())
    }

    const PROCESSOR: &str =
        r#"(instance $p) (export "retrans:plugin/processor@0.1.0" (instance $p))"#;

    #[test]
    fn an_import_that_is_not_offered_is_named_with_the_cure_of_its_toolchain() {
        for (import, cure) in [
            ("wasi:http/types@0.2.10", "with `-d http fetch-event`"),
            ("wasi:clocks/types@0.3.0", "--backend-qjs-disable-async"),
            ("wasi:cli/run@0.2.0", "(a reactor), not a program"),
            ("acme:things/store", "that the operator grants"),
        ] {
            let component = format!(r#"(component (import "{import}" (instance)) {PROCESSOR})"#);
            let error = checked(&component).expect_err(import);
            assert!(
                error.starts_with(&format!("it imports {import},")),
                "{error}"
            );
            assert!(error.contains(cure), "{error}");
        }
    }

    #[test]
    fn functions_for_asynchronous_calls_are_named() {
        let component = format!("(component (core func (canon task.cancel)) {PROCESSOR})");
        let error = checked(&component).expect_err("it needs asynchronous calls");
        assert!(error.contains("(task.cancel)"), "{error}");
        assert!(error.contains("--backend-qjs-disable-async"), "{error}");
    }

    #[test]
    fn what_is_offered_passes_and_so_does_what_is_inside() {
        let inner = r#"(component (import "acme:things/store" (instance)))"#;
        let offered =
            r#"(import "wasi:io/poll@0.2.6" (instance)) (import "t" (type (sub resource)))"#;
        assert_eq!(
            checked(&format!("(component {offered} {inner} {PROCESSOR})")),
            Ok(())
        );
    }

    #[test]
    fn a_component_of_another_world_or_version_is_told() {
        let error = checked("(component)").expect_err("no processor");
        assert!(error.contains("it does not export"), "{error}");
        let error = checked(&format!(
            "(component {})",
            PROCESSOR.replace("0.1.0", "0.9.0")
        ));
        let error = error.expect_err("another version");
        assert!(error.contains("built for retrans:plugin 0.9.0"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_compiler() {
        assert!(check(b"\0asm\x0d\0\x01\0\x07\x7f").is_ok());
        assert!(check(b"").is_ok());
        let whole =
            wat::parse_str("(component (core module (func)))").expect("it is text of a component");
        assert!(check(&whole).is_err());
        assert!(
            check(&whole[..whole.len() - 2]).is_ok(),
            "it ends within the module"
        );
    }
}
