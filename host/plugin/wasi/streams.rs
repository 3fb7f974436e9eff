//! `wasi:io/streams` and `wasi:io/error`. Printed output becomes log lines, standard input is at its end, and files can
//! be read.

use rustix::io::Errno;
use wasmtime::Result;
use wasmtime::component::ComponentType;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;

use super::linking::InputStream;
use super::linking::OutputStream;
use super::linking::Pollable;
use super::linking::Store;
use super::linking::link_timed;
use super::linking::link_unavailable;
use super::linking::new_handle;
use crate::plugin::runtime::logs::Stdio;
use crate::plugin::runtime::store::HostState;

/// Number of bytes that `check-write` permits. Output never blocks.
const WRITABLE: u64 = 64 * 1024;

/// The handle of standard input. No file has this number.
pub(super) const STDIN: u32 = u32::MAX;
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

/// Marks handles of errors. The handle's number is the system's error number.
pub(super) struct IoError;

#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// Returns the system's error.
pub(super) fn errno(error: &Resource<IoError>) -> Errno {
    Errno::from_raw_os_error(error.rep().cast_signed())
}

pub(super) fn link_error(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]error.to-debug-string" => {
            link_timed(linker, name, |_: Store, (error,): (Resource<IoError>,)| {
                Ok((errno(&error).to_string(),))
            })
        }
        _ => link_unavailable(linker, "wasi:io/error", name),
    }
}

pub(super) fn link(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    type Written = Result<(), StreamError>;
    match name {
        "[method]output-stream.check-write" => {
            link_timed(linker, name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Ok::<u64, StreamError>(WRITABLE),))
            })
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            link_timed(
                linker,
                name,
                |mut store: Store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                    store.data_mut().logs.print(stdio(&stream), &bytes);
                    Ok((Written::Ok(()),))
                },
            )
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            link_timed(linker, name, |_: Store, (_,): (Resource<OutputStream>,)| {
                Ok((Written::Ok(()),))
            })
        }
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => link_timed(
            linker,
            name,
            |store: Store, (stream, length): (Resource<InputStream>, u64)| {
                Ok((read(store, &stream, length)?,))
            },
        ),
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => link_timed(
            linker,
            name,
            |store: Store, (stream, length): (Resource<InputStream>, u64)| {
                let skipped = read(store, &stream, length)?;
                Ok((skipped.map(|bytes| bytes.len() as u64),))
            },
        ),
        "[method]output-stream.subscribe" => link_timed(
            linker,
            name,
            |store: Store, (_,): (Resource<OutputStream>,)| {
                Ok((new_handle::<Pollable>(store, 0)?,))
            },
        ),
        "[method]input-stream.subscribe" => link_timed(
            linker,
            name,
            |store: Store, (_,): (Resource<InputStream>,)| Ok((new_handle::<Pollable>(store, 0)?,)),
        ),
        _ => link_unavailable(linker, "wasi:io/streams", name),
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
    match store.data_mut().files.read_stream(stream.rep(), length) {
        Ok(bytes) if bytes.is_empty() && length > 0 => Ok(Err(StreamError::Closed)),
        Ok(bytes) => Ok(Ok(bytes)),
        Err(error) => {
            let error = new_handle(store, error.raw_os_error().cast_unsigned())?;
            Ok(Err(StreamError::LastOperationFailed(error)))
        }
    }
}
