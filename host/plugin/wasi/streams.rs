//! Streams: what is printed becomes log lines, standard input is at its end, files are read.

use rustix::io::Errno;
use wasmtime::Result;
use wasmtime::component::ComponentType;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;

use super::InputStream;
use super::OutputStream;
use super::Pollable;
use super::Store;
use super::link_refusal;
use super::own;
use super::timed;
use crate::plugin::runtime::logs::Stdio;
use crate::plugin::runtime::store::HostState;

/// How much may be printed before asking again; nothing is ever held back.
const WRITABLE: u64 = 64 * 1024;

/// The number of no file.
pub(super) const STDIN: u32 = u32::MAX;
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

/// Stands for the system's number of it.
pub(super) struct IoError;

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// What the system said.
pub(super) fn errno(error: &Resource<IoError>) -> Errno {
    Errno::from_raw_os_error(error.rep().cast_signed())
}

pub(super) fn link_error(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]error.to-debug-string" => {
            timed(linker, name, |_: Store, (error,): (Resource<IoError>,)| {
                Ok((errno(&error).to_string(),))
            })
        }
        _ => link_refusal(linker, "wasi:io/error", name),
    }
}

pub(super) fn link(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    type Written = Result<(), StreamError>;
    match name {
        "[method]output-stream.check-write" => {
            timed(linker, name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Ok::<u64, StreamError>(WRITABLE),))
            })
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => timed(
            linker,
            name,
            |mut store: Store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                store.data_mut().logs.print(stdio(&stream), &bytes);
                Ok((Written::Ok(()),))
            },
        ),
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            timed(linker, name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Written::Ok(()),))
            })
        }
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => timed(
            linker,
            name,
            |store: Store, (stream, length): (Resource<InputStream>, u64)| {
                Ok((read(store, &stream, length)?,))
            },
        ),
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => timed(
            linker,
            name,
            |store: Store, (stream, length): (Resource<InputStream>, u64)| {
                let skipped = read(store, &stream, length)?;
                Ok((skipped.map(|bytes| bytes.len() as u64),))
            },
        ),
        "[method]output-stream.subscribe" => timed(
            linker,
            name,
            |store: Store, (_,): (Resource<OutputStream>,)| Ok((own::<Pollable>(store, 0)?,)),
        ),
        "[method]input-stream.subscribe" => timed(
            linker,
            name,
            |store: Store, (_,): (Resource<InputStream>,)| Ok((own::<Pollable>(store, 0)?,)),
        ),
        _ => link_refusal(linker, "wasi:io/streams", name),
    }
}

fn stdio(stream: &Resource<OutputStream>) -> Stdio {
    match stream.rep() {
        STDOUT => Stdio::Stdout,
        _ => Stdio::Stderr,
    }
}

fn read(
    mut store: Store,
    stream: &Resource<InputStream>,
    length: u64,
) -> Result<Result<Vec<u8>, StreamError>> {
    if stream.rep() == STDIN {
        return Ok(Err(StreamError::Closed));
    }
    match store.data_mut().files.read_on(stream.rep(), length) {
        Ok(bytes) if bytes.is_empty() && length > 0 => Ok(Err(StreamError::Closed)),
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error) => {
            let error = own(store, error.raw_os_error().cast_unsigned())?;
            Ok(Err(StreamError::LastOperationFailed(error)))
        }
    }
}
