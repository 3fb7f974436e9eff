//! A sink that discards results.

use std::hint::black_box;
use std::io;

use retrans_host::sink::Sink;
use retrans_host::stream::alert::Alert;

/// For benchmarks: `black_box` keeps the compiler from removing the work.
pub struct Nowhere;

impl Sink for Nowhere {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        black_box(lines);
        Ok(())
    }

    fn alerts(&mut self, alerts: &[Alert]) -> io::Result<()> {
        black_box(alerts);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
