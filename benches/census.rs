//! Measures what the census costs: the CPU time of one with many connections, and the time of its programs for each
//! connection that begins and ends, from the kernel's statistics of BPF programs. Without root it prints that it was
//! skipped.

use std::fs;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

mod bpf_statistics;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/live/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests, which use the rest"
)]
mod live;

use bpf_statistics::enable_statistics;
use bpf_statistics::programs_of;
use live::Root;
use live::host::Host;
use live::netns::Namespace;

/// Sockets that are open during a census: the two ends of half as many connections.
const SOCKETS: [usize; 3] = [0, 10_000, 100_000];
/// Connections of one process, which may have no more open files. The other ends are not accepted, and are no files.
const CONNECTIONS_OF_A_PROCESS: usize = 15_000;
/// With this argument and its number, a process makes connections and keeps them until its standard input is closed.
const HOLD: &str = "hold";
/// How long censuses are made, one a second.
const CENSUSES_FOR: Duration = Duration::from_secs(8);
/// Connections that begin, send a segment each way, and end.
const SHORT_CONNECTIONS: usize = 60_000;
const CLIENTS: usize = 4;
const PORT: u16 = 5201;

fn main() -> Result<()> {
    // `cargo test` also starts benchmarks, without arguments: they return at once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, hold, number, count, ..] = &arguments[..]
        && hold == HOLD
    {
        return hold_connections(number.parse()?, count.parse()?);
    }
    let root = match Root::of_this_process() {
        Ok(root) => root,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return Ok(());
        }
    };
    println!("census              sockets   CPU ms each");
    for sockets in SOCKETS {
        let milliseconds = census(&root, sockets)?;
        println!("                   {sockets:>8}      {milliseconds:>8.2}");
    }
    let (each, rate) = short_connections(&root)?;
    println!("programs: {each:.0} ns for both ends of a connection, at {rate:.0} connections/s");
    Ok(())
}

/// A namespace of its own, with many ports.
fn namespace() -> Result<Namespace> {
    let namespace = Namespace::new()?;
    namespace.run("ip link set dev lo up")?;
    namespace.sysctl("net.ipv4.ip_local_port_range", "10000 65535")?;
    namespace.sysctl("net.core.somaxconn", "65535")?;
    Ok(namespace)
}

/// The CPU time of one census in ms.
fn census(root: &Root, sockets: usize) -> Result<f64> {
    let namespace = namespace()?;
    let holders = namespace.enter(|| holders(sockets / 2))??;
    let netns = namespace.inode().to_string();
    let arguments = ["--census", "1s", "--netns", &netns, "--no-owners"];
    let host = Host::start(root, &arguments)?;
    thread::sleep(CENSUSES_FOR);
    let run = host.stop()?;
    for mut holder in holders {
        drop(holder.stdin.take());
        holder.wait()?;
    }
    let census = run.ledger.census.context("there is a census")?;
    ensure!(census.get("connections_missed") == 0, "{census:?}");
    Ok(census.get("cpu_us") as f64 / census.get("made") as f64 / 1_000.0)
}

/// Processes that hold connections, once all are made.
fn holders(count: usize) -> Result<Vec<Child>> {
    let mut holders = Vec::new();
    for (number, begin) in (1..).zip((0..count).step_by(CONNECTIONS_OF_A_PROCESS)) {
        let part = CONNECTIONS_OF_A_PROCESS.min(count - begin);
        let mut holder = Command::new(std::env::current_exe()?);
        holder.args([HOLD, &number.to_string(), &part.to_string(), "--bench"]);
        let mut holder = holder
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = [0];
        let stdout = holder.stdout.as_mut().context("it is a pipe")?;
        stdout
            .read_exact(&mut ready)
            .context("a process that holds connections")?;
        holders.push(holder);
    }
    Ok(holders)
}

/// Makes connections to the address with this number, and keeps them until standard input is closed.
fn hold_connections(number: u8, count: usize) -> Result<()> {
    let address = SocketAddr::new(Ipv4Addr::new(127, 0, 0, number).into(), PORT);
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&address.into())?;
    listener.listen(i32::from(u16::MAX))?;
    let clients = (0..count).map(|_| TcpStream::connect(address));
    let _clients = clients.collect::<io::Result<Vec<_>>>()?;
    io::stdout().write_all(b"1")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The time of the programs for a connection in ns, and the connections in a second.
fn short_connections(root: &Root) -> Result<(f64, f64)> {
    let namespace = namespace()?;
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "1")?;
    let netns = namespace.inode().to_string();
    let arguments = ["--census", "5m", "--netns", &netns, "--no-owners"];
    let host = Host::start(root, &arguments)?;
    let _statistics = enable_statistics()?;
    let programs = programs_of(host.pid())?;
    let before = run_time(&programs)?;
    let begun = Instant::now();
    namespace.enter(|| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| thread::spawn(connect_and_close))
            .collect();
        clients.into_iter().try_for_each(|client| {
            let joined = client.join();
            joined.unwrap_or_else(|_| anyhow::bail!("a client panicked"))
        })
    })??;
    let elapsed = begun.elapsed();
    let used = run_time(&programs)? - before;
    host.stop()?;
    let connections = SHORT_CONNECTIONS as f64;
    Ok((
        used as f64 / connections,
        connections / elapsed.as_secs_f64(),
    ))
}

/// A part of the short connections, to a listener of their own.
fn connect_and_close() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    for _ in 0..SHORT_CONNECTIONS / CLIENTS {
        let mut client = TcpStream::connect(address)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(&[1; 100])?;
        server.write_all(&[1; 100])?;
        // Unread data makes the end a reset: no port stays in TIME-WAIT.
        drop(server);
        drop(client);
    }
    Ok(())
}

/// The time of all runs of programs in ns.
fn run_time(programs: &[PathBuf]) -> Result<u64> {
    let times = programs.iter().map(|path| {
        let info = fs::read_to_string(path)?;
        let time = info
            .lines()
            .find_map(|line| line.strip_prefix("run_time_ns:"));
        Ok(time.context("a program has this")?.trim().parse::<u64>()?)
    });
    times.sum()
}
