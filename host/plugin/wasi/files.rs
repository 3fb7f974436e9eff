//! `wasi:filesystem`, to read what was granted: whatever would change a file is refused.

use rustix::fs::FileType;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;
use wasmtime::component::Lower;
use wasmtime::component::Resource;
use wasmtime::component::Val;

use super::InputStream;
use super::Store;
use super::file_types::DescriptorFlags;
use super::file_types::DescriptorStat;
use super::file_types::DescriptorType;
use super::file_types::DirectoryEntry;
use super::file_types::ErrorCode;
use super::file_types::MetadataHash;
use super::file_types::OpenFlags;
use super::file_types::PathFlags;
use super::link_answer;
use super::link_refusal;
use super::own;
use super::streams;
use super::streams::IoError;
use super::timed;
use crate::plugin::runtime::files::Files;
use crate::plugin::runtime::files::Follow;
use crate::plugin::runtime::store::HostState;

/// A file or a directory.
pub(super) struct Descriptor;

/// The entries of a directory.
pub(super) struct EntryStream;

pub(super) fn link_preopens(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "get-directories" => timed(linker, name, |mut store: Store, ()| {
            let granted = store.data().files.granted();
            let granted: Vec<_> = granted.map(|(at, path)| (at, path.to_owned())).collect();
            let handles = granted.into_iter().map(|(number, path)| {
                let handle = own::<Descriptor>(&mut store, number)?;
                Ok((handle, path))
            });
            Ok((handles.collect::<Result<Vec<_>>>()?,))
        }),
        _ => link_refusal(linker, "wasi:filesystem/preopens", name),
    }
}

pub(super) fn link_types(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name.strip_prefix("[method]descriptor.") {
        Some("open-at") => timed(
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
                answer_with::<Descriptor>(store, file)
            },
        ),
        Some("read") => timed(
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
        Some("read-via-stream") => timed(
            linker,
            name,
            |mut store: Store, (file, offset): (Resource<Descriptor>, u64)| {
                let stream = store.data_mut().files.stream(file.rep(), offset);
                answer_with::<InputStream>(store, stream)
            },
        ),
        Some("read-directory") => timed(
            linker,
            name,
            |mut store: Store, (directory,): (Resource<Descriptor>,)| {
                let list = store.data_mut().files.list(directory.rep());
                answer_with::<EntryStream>(store, list)
            },
        ),
        Some("readlink-at") => timed(
            linker,
            name,
            |store: Store, (directory, path): (Resource<Descriptor>, String)| {
                answer(store.data().files.read_link(directory.rep(), &path))
            },
        ),
        Some("get-flags") => link_stat(linker, name, |_| DescriptorFlags::READ),
        Some("get-type") => link_stat(linker, name, |stat| {
            DescriptorType::from(FileType::from_raw_mode(stat.st_mode))
        }),
        Some("stat") => link_stat(linker, name, DescriptorStat::from),
        Some("metadata-hash") => link_stat(linker, name, MetadataHash::from),
        Some("stat-at") => link_stat_at(linker, name, DescriptorStat::from),
        Some("metadata-hash-at") => link_stat_at(linker, name, MetadataHash::from),
        Some("is-same-object") => timed(
            linker,
            name,
            |store: Store, (one, other): (Resource<Descriptor>, Resource<Descriptor>)| {
                Ok((same(&store.data().files, one.rep(), other.rep()),))
            },
        ),
        // Nothing is ever waiting to be written.
        Some("sync" | "sync-data") => link_stat(linker, name, |_| ()),
        Some("advise") => link_answer(linker, name, || Val::Result(Ok(None))),
        // With its type, so that a long text is read off as bytes.
        Some("write") => timed(
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
        ) => link_answer(linker, name, || {
            let read_only = Val::Enum("read-only".to_owned());
            Val::Result(Err(Some(Box::new(read_only))))
        }),
        Some(_) => link_refusal(linker, "wasi:filesystem/types", name),
        None => link_others(linker, name),
    }
}

fn link_others(linker: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "[method]directory-entry-stream.read-directory-entry" => timed(
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
            timed(linker, name, |_: Store, (error,): (Resource<IoError>,)| {
                Ok((Some(ErrorCode::from(streams::errno(&error))),))
            })
        }
        _ => link_refusal(linker, "wasi:filesystem/types", name),
    }
}

/// What follows from the metadata of what is open.
fn link_stat<T: Lower + 'static>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    result: impl Fn(Stat) -> T + Send + Sync + 'static,
) -> Result<()> {
    timed(
        linker,
        name,
        move |store: Store, (file,): (Resource<Descriptor>,)| {
            answer(store.data().files.stat(file.rep()).map(&result))
        },
    )
}

/// What follows from the metadata of what is at a path.
fn link_stat_at<T: Lower + 'static>(
    linker: &mut LinkerInstance<'_, HostState>,
    name: &str,
    result: impl Fn(Stat) -> T + Send + Sync + 'static,
) -> Result<()> {
    timed(
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

/// An answer that is a handle for this number.
fn answer_with<T: 'static>(store: Store, number: Result<u32, Errno>) -> Answer<Resource<T>> {
    match number {
        Ok(number) => Ok((Ok(own::<T>(store, number)?),)),
        Err(error) => answer(Err(error)),
    }
}

fn follow(flags: PathFlags) -> Follow {
    match flags.contains(PathFlags::SYMLINK_FOLLOW) {
        true => Follow::Yes,
        false => Follow::No,
    }
}

/// How to open a file, as long as nobody wants to change it.
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

fn same(files: &Files, one: u32, other: u32) -> bool {
    match (files.stat(one), files.stat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}
