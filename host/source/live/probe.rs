//! Loads and attaches the probe, and runs the live source.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use libbpf_rs::Link;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapHandle;
use libbpf_rs::OpenObject;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;

use super::intake::Intake;
use super::intake::Processing;
use super::kernel_filters;
use super::left_out::LeftOutMap;
use super::preflight;
use super::preflight::ProbeError;
use super::preflight::cannot;
use super::programs;
use super::ring::Counters;
use super::ring::RingReader;
use super::ring::build_ring;
use crate::config::attach::Attach;
use crate::filter::LiveFilters;
use crate::pipeline::channel::Channel;
use crate::pipeline::stop::Stop;
use crate::pipeline::stop::Wake;
use crate::source::bpf::libbpf;
use crate::source::bpf::retrans::RetransSkel;
use crate::source::bpf::retrans::RetransSkelBuilder;
use crate::stats::Stats;
use crate::stats::reconcile::MAX_NAMESPACES;
use crate::stream::clock;
use crate::stream::moment::MARK_INTERVAL;

/// What the probe is loaded with.
pub struct ProbeOptions<'a> {
    /// Size of the ring in bytes: a power of two and a multiple of the page size.
    pub ring_size: u32,
    /// The events that the probe records.
    pub filters: &'a LiveFilters,
    /// Whether the probe sums up the segments that the filters leave out, for `--reconcile`.
    pub sums_left_out: bool,
}

/// The probe, loaded and attached.
pub struct Probe<'obj> {
    skel: RetransSkel<'obj>,
    /// One link for each loaded program.
    links: Vec<Link>,
    /// The kind of tracepoint that the probe is attached to: never [`Attach::Auto`].
    pub attached: Attach,
}

impl<'obj> Probe<'obj> {
    /// Loads the probe into the kernel and attaches it. It records nothing until [`begin_to_record`]. The caller
    /// checks the permissions before, with [`preflight::check`].
    ///
    /// [`begin_to_record`]: Probe::begin_to_record
    ///
    /// [`Attach::Auto`] may need both elements of `storage`, because it tries both kinds of tracepoints.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] if the kernel refuses the probe. With [`Attach::Auto`], it is the error
    /// of the BTF-typed tracepoint.
    pub fn attach(
        storage: &'obj mut [MaybeUninit<OpenObject>; 2],
        attach: Attach,
        options: &ProbeOptions<'_>,
    ) -> Result<Probe<'obj>, ProbeError> {
        libbpf::log();
        let [first, second] = storage;
        match attach {
            Attach::Btf | Attach::Tracepoint => Probe::attach_as(first, attach, options),
            Attach::Auto => Probe::attach_as(first, Attach::Btf, options).or_else(|error| {
                tracing::debug!("{error}; trying the classic tracepoint");
                // If the classic tracepoint fails as well, the first error is reported: it is the more useful one.
                Probe::attach_as(second, Attach::Tracepoint, options).map_err(|_| error)
            }),
        }
    }

    fn attach_as(
        storage: &'obj mut MaybeUninit<OpenObject>,
        attached: Attach,
        options: &ProbeOptions<'_>,
    ) -> Result<Probe<'obj>, ProbeError> {
        if attached == Attach::Tracepoint {
            preflight::check_tracefs()?;
        }
        let failed = preflight::explain;
        let mut open = RetransSkelBuilder::default()
            .open_opts(libbpf::options(), storage)
            .map_err(|error| failed("open", error))?;
        if let Some(rodata) = open.maps.rodata_data.as_deref_mut() {
            rodata.jiffy_us = clock::jiffy().as_micros().try_into().unwrap_or(0);
            kernel_filters::write(options.filters, &mut rodata.filters);
            rodata.filters.sums_left_out = options.sums_left_out.into();
        }
        let resized = open.maps.events.set_max_entries(options.ring_size);
        resized.map_err(|error| failed("size the ring of", error))?;
        if options.sums_left_out {
            let resized = open.maps.left_out.set_max_entries(MAX_NAMESPACES as u32);
            resized.map_err(|error| failed("size the sums of", error))?;
        }
        for mut program in open.open_object_mut().progs_mut() {
            let is_wanted = programs::is_wanted(program.name(), attached);
            program.set_autoload(is_wanted);
        }
        let skel = open.load().map_err(|error| failed("load", error))?;
        let loaded = skel.object().progs_mut();
        let links = loaded
            .filter(|program| program.autoload())
            .map(|program| program.attach());
        let links = links
            .collect::<Result<_, _>>()
            .map_err(|error| preflight::explain_attach(attached, error))?;
        Ok(Probe {
            skel,
            links,
            attached,
        })
    }

    /// From now on the probe counts and records retransmits.
    pub fn begin_to_record(&mut self) {
        if let Some(memory) = self.skel.maps.bss_data.as_deref_mut() {
            // The probe reads it anew at each call.
            memory.is_recording = 1;
        }
    }

    /// The sums of what the filters leave out.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] if the descriptor of the map cannot be duplicated.
    pub fn left_out(&self) -> Result<LeftOutMap, ProbeError> {
        let map = MapHandle::try_from(&self.skel.maps.left_out);
        map.map(LeftOutMap::new)
            .map_err(|error| preflight::explain("read the sums of", error))
    }

    /// Sends events and marks until the run is to end or the chain has ended. Then detaches the probe, sends the
    /// records that are left in the ring buffer, and returns the statistics of the source and the observers.
    pub fn run(
        self,
        processing: Processing,
        channel: &Channel,
        stop: &Stop,
    ) -> Result<Stats, ProbeError> {
        let Probe { skel, links, .. } = self;
        let clock = processing.clock;
        let programs = skel.object().progs();
        let loaded = programs.filter(|program| program.autoload());
        let counters = Counters::new(&skel.maps.counters, loaded.collect());
        let intake = RefCell::new(Intake::new(processing, channel, stop));
        let (kernel, reported_lost) = {
            let ring = build_ring(&skel.maps.events, &intake)?;
            let mut reader =
                RingReader::new(&ring, &intake, counters, skel.maps.events.max_entries());
            let mut next_mark = clock.now().boot() + MARK_INTERVAL;
            let mut continues = true;
            while continues {
                let wake = reader.wait(stop, next_mark);
                if wake.map_err(cannot("wait for events"))? == Wake::Stop {
                    break;
                }
                continues = reader.read()?;
                let now = clock.now();
                if now.boot() >= next_mark {
                    continues = continues && reader.mark()?;
                    // Marks that were missed while the source was blocked, as by a full channel, are not sent later.
                    next_mark = (next_mark + MARK_INTERVAL).max(now.boot());
                }
            }
            reader.freeze();
            drop(links);
            (reader.drain()?, reader.reported_lost())
        };
        Ok(intake.into_inner().end(kernel, reported_lost))
    }
}
