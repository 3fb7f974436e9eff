//! The self-test: forces a retransmit, and waits until it has come through the probe, the ring and the channel.
//!
//! A client connects to a listener on the loopback interface whose queue is full, so that the kernel drops its SYN. The
//! SYN is sent again after a second. The sockets are in a network namespace of their own or, without the right to make
//! one, in that of this process.

use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use crossbeam_channel::Receiver;
use crossbeam_channel::bounded;
use retrans_event::Kind;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use rustix::thread::UnshareFlags;
use rustix::thread::unshare_unsafe;
use socket2::Domain;
use socket2::Socket;
use socket2::Type;

use crate::config::attach::Attach;
use crate::filter::Filters;
use crate::filter::LiveFilters;
use crate::filter::OwnerFilter;
use crate::filter::ports::PortRange;
use crate::filter::ports::Ports;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::source::live::intake::Processing;
use crate::source::live::probe::Probe;
use crate::source::live::probe::ProbeOptions;
use crate::source::owner::Owners;
use crate::stats::Publisher;
use crate::stats::SharedStats;
use crate::stats::counters::StreamStats;
use crate::stream::batch::Item;
use crate::stream::clock::Clock;
use crate::system::threads;

/// How long to wait for the retransmit. The kernel sends a SYN again after one second, and after two more.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A listener whose queue is full, and a client that is not connected yet.
struct Pair {
    client: Socket,
    listener: Socket,
    /// The connection that fills the queue.
    _queued: Socket,
    /// The inode of their network namespace.
    netns: u32,
    /// Whether the namespace has nothing else in it.
    is_private: bool,
}

/// Forces a retransmit, and waits for its event. Returns what was seen, in words.
pub fn see_a_retransmit() -> Result<String> {
    let stop = Stop::at_signals().context("cannot listen for signals")?;
    let clock = Clock::of_this_process()?;
    let pair = Pair::new()?;
    let listener = local_address(&pair.listener)?;
    let filters = LiveFilters {
        common: Filters {
            peer_ports: Ports::new(
                PortRange::new(listener.port(), listener.port())
                    .into_iter()
                    .collect(),
            ),
            kinds: vec![Kind::Syn],
            netns: vec![pair.netns],
            ..Filters::default()
        },
        ..LiveFilters::default()
    };
    let options = ProbeOptions {
        ring_size: rustix::param::page_size() as u32,
        filters: &filters,
        sums_left_out: false,
    };
    let mut storage = [MaybeUninit::uninit(), MaybeUninit::uninit()];
    let mut probe = Probe::attach(&mut storage, Attach::Auto, &options)?;
    probe.begin_to_record();
    let attached = probe.attached.name();
    let processing = Processing {
        census: None,
        clock,
        owners: Owners::unknown(clock),
        names: None,
        show_queued: true,
        reconciliation: None,
        observers: Vec::new(),
        owner_filter: OwnerFilter::default(),
        count: Some(1),
        publisher: Publisher::new(SharedStats::default()),
    };
    match pair.client.connect(&listener.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Ok(()) => bail!("a listener whose queue is full has accepted a connection"),
        Err(error) => return Err(error).context("cannot begin to connect to a listener"),
    }
    let begun = Instant::now();
    stop.end_after(TIMEOUT).context("cannot measure the time")?;
    let (items, received) = bounded(16);
    // No batch is used again.
    let (_, recycled) = bounded(0);
    let channel = Channel { items, recycled };
    let (seen, stats) = thread::scope(|scope| {
        let receiver =
            threads::named("receiver").spawn_scoped(scope, || first(&received, clock))?;
        let stats = probe.run(processing, &channel, &stop)?;
        drop(channel);
        let seen = receiver
            .join()
            .map_err(|_| anyhow!("the receiver panicked"))?;
        anyhow::Ok((seen, stats))
    })?;
    let place = match pair.is_private {
        true => "a network namespace of its own",
        false => "the network namespace of this process",
    };
    match (seen, stats.stream) {
        (Some(latency), _) => Ok(format!(
            "a SYN that was sent again in {place} was seen {:.3} ms later ({attached})",
            latency.as_secs_f64() * 1e3
        )),
        (None, _) if begun.elapsed() < TIMEOUT => bail!("interrupted by a signal"),
        (None, Some(StreamStats::Live { kernel, .. })) => bail!(
            "no event within {} s of a SYN without an answer in {place}: the probe ({attached}) was called {} times; \
             compare with `nstat TcpRetransSegs`, and please report this as a bug if that counts",
            TIMEOUT.as_secs(),
            kernel.entered
        ),
        (None, _) => bail!("no event within {} s", TIMEOUT.as_secs()),
    }
}

/// The time from the first event until it was received.
fn first(items: &Receiver<Item>, clock: Clock) -> Option<Duration> {
    let mut latency = None;
    // All items are taken: the source waits for room in the channel.
    for item in items {
        if let (Item::Events(batch), None) = (&item, latency) {
            let received = clock.now().boot();
            let event = batch.events().next();
            latency = event.map(|event| received.saturating_sub(event.time()));
        }
    }
    latency
}

fn local_address(socket: &Socket) -> Result<SocketAddr> {
    let address = socket
        .local_addr()
        .context("cannot read the address of a socket")?;
    address
        .as_socket()
        .context("the socket has an address of IP")
}

impl Pair {
    /// In a new network namespace or, without the right to make one, in that of this process. The sockets keep the
    /// namespace alive.
    fn new() -> Result<Pair> {
        // Namespaces belong to a thread.
        let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
        let private = threads::named("namespace").keeping(needed).spawn(|| {
            // SAFETY: CLONE_NEWNET changes the network of this thread alone, which ends with this closure.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.ok()?;
            Some(Pair::here(true))
        });
        let private = private.context("cannot start a thread")?.join();
        match private.map_err(|_| anyhow!("a thread panicked"))? {
            Some(pair) => pair,
            None => Pair::here(false),
        }
    }

    fn here(is_private: bool) -> Result<Pair> {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None);
        let failed = "cannot make a listener on the loopback interface";
        let listener = socket().context(failed)?;
        if is_private {
            set_loopback_up(&listener).context("cannot set up the loopback interface")?;
        }
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any_port.into()).context(failed)?;
        // A queue for 0 connections is full with one.
        listener.listen(0).context(failed)?;
        let queued = socket().context("cannot make a socket")?;
        let connected = queued.connect_timeout(&listener.local_addr()?, TIMEOUT);
        connected.context("cannot connect to a listener on the loopback interface")?;
        let client = socket().context("cannot make a socket")?;
        client.set_nonblocking(true)?;
        let netns = std::fs::metadata("/proc/thread-self/ns/net");
        let netns = netns.context("cannot read the network namespace")?.ino();
        Ok(Pair {
            client,
            listener,
            _queued: queued,
            netns: netns
                .try_into()
                .context("the inode of a network namespace has 32 bits")?,
            is_private,
        })
    }
}

/// Sets the flag IFF_UP of the interface `lo`.
fn set_loopback_up(socket: &Socket) -> std::io::Result<()> {
    // SAFETY: all bytes of an ifreq may be 0.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *to = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the descriptor is open, and the kernel reads an ifreq for this request.
    match unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS as _,
            &raw const request,
        )
    } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
