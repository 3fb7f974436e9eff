//! The table of the BPF programs in `bpf/retrans.bpf.c`. A new program needs a row in it.

use std::ffi::OsStr;

use crate::config::attach::Attach;

/// A BPF program and its tracepoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the program in the BPF object.
    pub name: &'static str,
    /// Name of the tracepoint in the category `tcp`.
    pub tracepoint: &'static str,
    /// The kind of tracepoint that the program attaches to: [`Attach::Btf`] or [`Attach::Tracepoint`].
    pub attach: Attach,
}

/// The programs: for each tracepoint, one for each kind of tracepoint.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "btf_retransmit_skb",
        tracepoint: "tcp_retransmit_skb",
        attach: Attach::Btf,
    },
    Program {
        name: "btf_retransmit_synack",
        tracepoint: "tcp_retransmit_synack",
        attach: Attach::Btf,
    },
    Program {
        name: "classic_retransmit_skb",
        tracepoint: "tcp_retransmit_skb",
        attach: Attach::Tracepoint,
    },
    Program {
        name: "classic_retransmit_synack",
        tracepoint: "tcp_retransmit_synack",
        attach: Attach::Tracepoint,
    },
];

/// Returns whether the program `name` of the object is to be loaded to attach in this way.
pub fn is_wanted(name: &OsStr, attach: Attach) -> bool {
    let wanted = |program: &Program| program.attach == attach && name == program.name;
    PROGRAMS.iter().any(wanted)
}

/// The names of the tracepoints, each once.
pub fn tracepoints() -> impl Iterator<Item = &'static str> {
    let typed = PROGRAMS
        .iter()
        .filter(|program| program.attach == Attach::Btf);
    typed.map(|program| program.tracepoint)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::mem::MaybeUninit;

    use libbpf_rs::skel::OpenSkel as _;
    use libbpf_rs::skel::SkelBuilder as _;

    use super::*;
    use crate::source::bpf::retrans::RetransSkelBuilder;

    #[test]
    fn the_table_has_every_program_of_the_object_and_no_other() {
        let mut storage = MaybeUninit::uninit();
        let open = RetransSkelBuilder::default()
            .open(&mut storage)
            .expect("the object can be opened");
        let programs = open.open_object().progs();
        let found: BTreeSet<_> = programs.map(|program| program.name().to_owned()).collect();
        let expected = PROGRAMS.iter().map(|program| program.name.into());
        assert_eq!(found, expected.collect());
    }

    #[test]
    fn both_ways_to_attach_have_the_same_tracepoints() {
        for tracepoint in tracepoints() {
            let mut ways = PROGRAMS
                .iter()
                .filter(|program| program.tracepoint == tracepoint)
                .map(|program| program.attach);
            assert_eq!(ways.next(), Some(Attach::Btf), "{tracepoint}");
            assert_eq!(ways.next(), Some(Attach::Tracepoint), "{tracepoint}");
        }
    }
}
