//! The process and the operating system: `/proc`, standard streams, threads, privileges, the heap, timestamps, progress on
//! terminals, the service manager, and the sanitising of text.

pub mod heap;
pub mod inherited;
pub mod private_files;
pub mod privileges;
pub mod procfs;
pub mod progress;
pub mod sandbox;
pub mod sanitize;
pub mod service_manager;
pub mod stdio;
pub mod threads;
pub mod timestamp;
pub mod whole_file;
