//! `wasi:filesystem` for the granted files. Every function that would change a file is refused.

use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::Val;

use super::file_types::DescriptorFlags;
use super::file_types::DescriptorStat;
use super::file_types::DescriptorType;
use super::file_types::DirectoryEntry;
use super::file_types::ErrorCode;
use super::file_types::MetadataHash;
use super::file_types::OpenFlags;
use super::file_types::PathFlags;
use super::linking::InputStream;
use super::linking::Store;
use super::linking::link_constant;
use super::linking::link_timed;
use super::linking::link_unavailable;
use super::linking::new_handle;
use super::streams;
use super::streams::IoError;
use crate::plugin::runtime::beneath::Follow;
use crate::plugin::runtime::granted_files::Files;
use crate::plugin::runtime::store::HostState;

/// Marks handles of files and directories.
pub(super) struct Descriptor;

/// Marks handles of listings of directories.
pub(super) struct EntryStream;

pub(super) fn link_preopens(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "get-directories" => link_timed(linker, name, |mut store: Store, ()| {
            let preopens = store.data().files.preopens();
            let preopens: Vec<_> = preopens.map(|(at, path)| (at, path.to_owned())).collect();
            let handles = preopens.into_iter().map(|(number, path)| {
                let handle = new_handle::<Descriptor>(&mut store, number)?;
                Ok((handle, path))
            });
            Ok((handles.collect::<Result<Vec<_>>>()?,))
        }),
        _ => link_unavailable(linker, "wasi:filesystem/preopens", name),
    }
}

pub(super) fn link_types(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name.strip_prefix("[method]descriptor.") {
        Some("open-at") => link_timed(
            linker,
            name,
            |mut store: Store,
             (directory, path_flags, path, open_flags, flags): (
                Resource<Descriptor>,
                PathFlags,
                String,
                OpenFlags,
                DescriptorFlags,
            )| {
                let files = &mut store.data_mut().files;
                let flags = read_only(open_flags, flags);
                let file = flags.and_then(|flags| {
                    files.open_at(directory.rep(), &path, follow(path_flags), flags)
                });
                answer_handle::<Descriptor>(store, file)
            },
        ),
        Some("read") => link_timed(
            linker,
            name,
            |store: Store, (file, length, offset): (Resource<Descriptor>, u64, u64)| {
                let bytes = store.data().files.read(file.rep(), length, offset);
                answer(bytes.map(|bytes| {
                    let end = bytes.is_empty() && length > 0;
                    (bytes, end)
                }))
            },
        ),
        Some("read-via-stream") => link_timed(
            linker,
            name,
            |mut store: Store, (file, offset): (Resource<Descriptor>, u64)| {
                let stream = store.data_mut().files.stream(file.rep(), offset);
                answer_handle::<InputStream>(store, stream)
            },
        ),
        Some("read-directory") => link_timed(
            linker,
            name,
            |mut store: Store, (directory,): (Resource<Descriptor>,)| {
                let list = store.data_mut().files.list(directory.rep());
                answer_handle::<EntryStream>(store, list)
            },
        ),
        Some("readlink-at") => link_timed(
            linker,
            name,
            |store: Store, (directory, path): (Resource<Descriptor>, String)| {
                answer(store.data().files.read_link(directory.rep(), &path))
            },
        ),
        Some("get-flags") => link_stat(linker, name, |_| DescriptorFlags::READ),
        Some("get-type") => link_timed(
            linker,
            name,
            |store: Store, (file,): (Resource<Descriptor>,)| {
                let found = store.data().files.file_type(file.rep());
                answer(found.map(DescriptorType::from))
            },
        ),
        Some("stat") => link_stat(linker, name, DescriptorStat::from),
        Some("metadata-hash") => link_stat(linker, name, MetadataHash::from),
        Some("stat-at") => link_stat_at(linker, name, DescriptorStat::from),
        Some("metadata-hash-at") => link_stat_at(linker, name, MetadataHash::from),
        Some("is-same-object") => link_timed(
            linker,
            name,
            |store: Store, (one, other): (Resource<Descriptor>, Resource<Descriptor>)| {
                Ok((is_same_object(&store.data().files, one.rep(), other.rep()),))
            },
        ),
        // There is never any unwritten data.
        Some("sync" | "sync-data") => link_stat(linker, name, |_| ()),
        Some("advise") => link_constant(linker, name, || Val::Result(Ok(None))),
        // Linked with its type, so that a long buffer is passed as bytes and not as a list of values.
        Some("write") => link_timed(
            linker,
            name,
            |_: Store, (_, _, _): (Resource<Descriptor>, Vec<u8>, u64)| {
                answer::<u64>(Err(Errno::ROFS))
            },
        ),
        Some(
            "write-via-stream"
            | "append-via-stream"
            | "set-size"
            | "set-times"
            | "set-times-at"
            | "create-directory-at"
            | "link-at"
            | "symlink-at"
            | "rename-at"
            | "remove-directory-at"
            | "unlink-file-at",
        ) => link_constant(linker, name, || {
            let read_only = Val::Enum("read-only".to_owned());
            Val::Result(Err(Some(Box::new(read_only))))
        }),
        Some(_) => link_unavailable(linker, "wasi:filesystem/types", name),
        None => link_others(linker, name),
    }
}

fn link_others(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]directory-entry-stream.read-directory-entry" => link_timed(
            linker,
            name,
            |mut store: Store, (list,): (Resource<EntryStream>,)| {
                let entry = store.data_mut().files.next_entry(list.rep());
                answer(entry.map(|entry| {
                    entry.map(|(kind, name)| DirectoryEntry {
                        kind: kind.into(),
                        name,
                    })
                }))
            },
        ),
        "filesystem-error-code" => {
            link_timed(linker, name, |_: Store, (error,): (Resource<IoError>,)| {
                Ok((Some(ErrorCode::from(streams::errno(&error))),))
            })
        }
        _ => link_unavailable(linker, "wasi:filesystem/types", name),
    }
}

/// Links a function whose result is computed from the metadata of an open file.
fn link_stat<T: Lower + 'static>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    result: impl Fn(Stat) -> T + Send + Sync + 'static,
) -> Result<()> {
    link_timed(
        linker,
        name,
        move |store: Store, (file,): (Resource<Descriptor>,)| {
            answer(store.data().files.stat(file.rep()).map(&result))
        },
    )
}

/// Links a function whose result is computed from the metadata of the file at a path.
fn link_stat_at<T: Lower + 'static>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    result: impl Fn(Stat) -> T + Send + Sync + 'static,
) -> Result<()> {
    link_timed(
        linker,
        name,
        move |store: Store, (directory, flags, path): (Resource<Descriptor>, PathFlags, String)| {
            let files = &store.data().files;
            let stat = files.stat_at(directory.rep(), &path, follow(flags));
            answer(stat.map(&result))
        },
    )
}

type Answer<T> = Result<(Result<T, ErrorCode>,)>;

fn answer<T>(result: Result<T, Errno>) -> Answer<T> {
    Ok((result.map_err(ErrorCode::from),))
}

/// Returns a new handle for this number as the function's answer.
fn answer_handle<T: 'static>(store: Store, number: Result<u32, Errno>) -> Answer<Resource<T>> {
    match number {
        Ok(number) => Ok((Ok(new_handle::<T>(store, number)?),)),
        Err(error) => answer(Err(error)),
    }
}

fn follow(flags: PathFlags) -> Follow {
    match flags.contains(PathFlags::SYMLINK_FOLLOW) {
        true => Follow::Yes,
        false => Follow::No,
    }
}

/// Returns the flags to open a file with. Returns `EROFS` if the plugin requests to create or change it.
fn read_only(open: OpenFlags, flags: DescriptorFlags) -> Result<OFlags, Errno> {
    let creates = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
    let writes = DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
    if open & creates != OpenFlags::default() || flags & writes != DescriptorFlags::default() {
        return Err(Errno::ROFS);
    }
    match open.contains(OpenFlags::DIRECTORY) {
        true => Ok(OFlags::DIRECTORY),
        false => Ok(OFlags::empty()),
    }
}

fn is_same_object(files: &Files, one: u32, other: u32) -> bool {
    match (files.stat(one), files.stat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}
