//! Makes a component from a core module, for languages whose compilers make no components.
//!
//! The module's exports tell the world: `retrans:plugin/timer@0.1.0#tick` makes it a plugin that is told the time. WASI
//! preview 1, which the standard libraries of C and Go import, is adapted to WASI 0.2.

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmparser::ExternalKind;
use wasmparser::Parser;
use wasmparser::Payload;
use wit_component::ComponentEncoder;
use wit_component::StringEncoding;
use wit_component::embed_component_metadata;
use wit_parser::Resolve;

use super::runtime::contract::PACKAGE;
use super::runtime::contract::VERSION;

/// The contract.
const CONTRACT: &str = include_str!("wit/plugin.wit");

/// The interface that each plugin exports, and those that it may export.
const INTERFACES: [&str; 3] = ["processor", "timer", "state"];

/// The beginning of the names of sections that tell the world of a module. Bindings of some toolchains add one.
const WORLD_SECTION: &str = "component-type";

/// Makes a component from a core module.
pub fn component(module: &[u8]) -> Result<Vec<u8>> {
    if Parser::is_component(module) {
        bail!("it is a component already: the host loads it as it is");
    }
    if !Parser::is_core_wasm(module) {
        bail!("it is not a module of WebAssembly");
    }
    let Module { exports, has_world } = Module::read(module).context("it is damaged")?;
    let mut module = module.to_vec();
    if !has_world {
        embed_world(&mut module, &exports)?;
    }
    let adapter = (
        WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
        WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    );
    let encoder = ComponentEncoder::default().module(&module)?;
    encoder
        .adapter(adapter.0, adapter.1)?
        .validate(true)
        .encode()
}

/// Adds the section that tells the world of the module, which follows from its exports.
fn embed_world(module: &mut Vec<u8>, exports: &[String]) -> Result<()> {
    let is_exported = |interface: &&str| {
        let prefix = format!("{PACKAGE}/{interface}@{VERSION}#");
        exports.iter().any(|export| export.starts_with(&prefix))
    };
    let interfaces: Vec<_> = INTERFACES.into_iter().filter(is_exported).collect();
    if !interfaces.contains(&INTERFACES[0]) {
        bail!(
            "it exports no function of a plugin, such as {PACKAGE}/processor@{VERSION}#process: build it with an \
             SDK, as a library (a reactor)"
        );
    }
    let exported = interfaces
        .iter()
        .map(|name| format!("export {PACKAGE}/{name}@{VERSION};"));
    let world = format!(
        "package retrans:module; world module {{ import {PACKAGE}/host@{VERSION}; {} }}",
        exported.collect::<String>()
    );
    let mut resolve = Resolve::default();
    resolve.push_str("plugin.wit", CONTRACT)?;
    let package = resolve.push_str("module.wit", &world)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
}

/// What is read of a core module.
struct Module {
    /// Names of the exported functions.
    exports: Vec<String>,
    /// Whether it has a section that tells its world.
    has_world: bool,
}

impl Module {
    fn read(bytes: &[u8]) -> wasmparser::Result<Module> {
        let mut module = Module {
            exports: Vec::new(),
            has_world: false,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            module.exports.push(export.name.to_owned());
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    module.has_world |= section.name().starts_with(WORLD_SECTION);
                }
                _ => {}
            }
        }
        Ok(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with these exported functions, each of which traps.
    fn module(exports: &[(&str, &str)]) -> Vec<u8> {
        let functions = exports.iter().map(|(name, signature)| {
            format!(r#"(func (export "retrans:plugin/{name}") {signature} unreachable)"#)
        });
        let functions: String = functions.collect();
        let realloc =
            r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)"#;
        let import =
            r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#;
        let text =
            format!(r#"(module {import} (memory (export "memory") 1) {realloc} {functions})"#);
        wat::parse_str(text).expect("it is text of a module")
    }

    const PROCESSOR: [(&str, &str); 3] = [
        ("processor@0.1.0#describe", "(result i32)"),
        ("processor@0.1.0#configure", "(param i32 i32) (result i32)"),
        (
            "processor@0.1.0#process",
            "(param i32 i32 i32 i32) (result i32)",
        ),
    ];

    const TIMER: [(&str, &str); 2] = [
        ("timer@0.1.0#tick", "(param i64) (result i32)"),
        ("timer@0.1.0#finish", "(param i64) (result i32)"),
    ];

    #[test]
    fn the_exports_of_the_module_are_those_of_the_component() {
        let only = component(&module(&PROCESSOR)).expect("it is a plugin");
        let ticking = [PROCESSOR.as_slice(), &TIMER].concat();
        let ticking = component(&module(&ticking)).expect("it is a plugin");
        let has = |bytes: &[u8], name: &str| {
            let mut parts = bytes.windows(name.len());
            parts.any(|part| part == name.as_bytes())
        };
        for bytes in [&only, &ticking] {
            assert!(Parser::is_component(bytes));
            assert!(has(bytes, "retrans:plugin/processor@0.1.0"));
            assert!(has(bytes, "wasi:random/random@0.2"));
        }
        assert!(!has(&only, "retrans:plugin/timer@0.1.0"));
        assert!(has(&ticking, "retrans:plugin/timer@0.1.0"));
    }

    #[test]
    fn what_cannot_be_a_plugin_is_told() {
        let refused =
            |bytes: &[u8]| format!("{:#}", component(bytes).expect_err("it is no plugin"));
        let finished = component(&module(&PROCESSOR)).expect("it is a plugin");
        assert!(refused(&finished).contains("a component already"));
        assert!(refused(b"#!/bin/sh").contains("not a module"));
        assert!(refused(&module(&[])).contains("exports no function of a plugin"));
        assert!(refused(&module(&PROCESSOR)[..20]).contains("damaged"));
        let incomplete = refused(&module(&PROCESSOR[..2]));
        assert!(incomplete.contains("function `process`"), "{incomplete}");
    }
}
