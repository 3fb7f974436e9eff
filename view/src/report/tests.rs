//! The page as a whole: what it must never contain, what it must tell, and what it costs.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use retrans_event::CensusRow;
use retrans_event::Kind;
use retrans_event::Process;
use retrans_event::Record;
use retrans_event::synth::Synth;

use super::alert::Alert;
use super::alert::Severity;
use super::collect::Collected;
use super::collect::Host;
use super::collect::Source;
use super::*;

const HOSTILE: &str = "</style><script>x</script><img src=\"http://x\" onerror='y'>\u{202e}\x1b[2J";

fn page(collected: &Collected) -> String {
    render(collected).expect("a page")
}

fn of(events: impl IntoIterator<Item = Record>) -> Collected {
    let mut collected = Collected::default();
    for event in events {
        collected.event(&event, []);
    }
    collected
}

/// The text of the element with this name.
fn figure<'a>(page: &'a str, id: &str) -> &'a str {
    let begin = format!(" id=\"{id}\">");
    let (_, rest) = page.split_once(&begin).expect("an element of this name");
    rest.split_once('<').expect("its end").0
}

fn local() -> SocketAddr {
    "10.0.0.1:40000".parse().expect("an address")
}

/// A page of events with everything that others may name.
fn hostile() -> Collected {
    let mut collected = Collected::default();
    collected.begin(Source {
        name: HOSTILE.to_owned(),
        host: Some(Host {
            name: HOSTILE.to_owned(),
            kernel: HOSTILE.to_owned(),
        }),
        cut: Some(HOSTILE.to_owned()),
    });
    collected.selection = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
    collected.plugins = Some(vec![HOSTILE.to_owned()]);
    collected.alert(Alert {
        wall_time: Duration::from_secs(1_767_225_600),
        plugin: HOSTILE.to_owned(),
        name: HOSTILE.to_owned(),
        severity: Severity::Critical,
        is_resolved: false,
        summary: HOSTILE.to_owned(),
        labels: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
        connection: None,
    });
    for number in 0..20 {
        let mut process = Process::new(7, "<script>");
        process.container = "</svg><b>&\"'".parse().ok();
        let event = Record::retransmit(local(), "10.0.0.2:443".parse().expect("an address"))
            .with_time(Duration::from_secs(number))
            .with_process(process)
            .with(|event| {
                event.set_seq(Some(number as u32 * 1_000));
                event.set_congestion_control("<i>".parse().ok());
            });
        collected.event(&event, [(HOSTILE, HOSTILE), ("<k>", "<v>")]);
    }
    collected
}

#[test]
fn names_of_others_are_text() {
    let page = page(&hostile());
    for tag in ["<script", "<img", "<b>&", "<i>", "<k>", "\u{202e}", "\x1b"] {
        assert!(!page.contains(tag), "{tag}");
    }
    // They are there, and readable.
    assert!(page.contains("&#60;script&#62;[7]"), "comm");
    assert!(page.contains("&#60;k&#62; = &#60;v&#62;"), "label");
    let opened = page.matches("<svg").count();
    assert_eq!(opened, page.matches("</svg>").count());
    assert_eq!(page.matches("<style>").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    let mut collected = of(Synth::new(3).take(5_000));
    collected.census([CensusRow::EMPTY]);
    let page = page(&collected);
    for word in [
        "http:",
        "https:",
        "//",
        "src=",
        "<script",
        "javascript",
        "@import",
        "url(",
        "<link",
        "<iframe",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    let mut links = page.split("href=\"").skip(1);
    assert!(links.all(|link| link.starts_with('#')));
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
}

#[test]
fn the_same_events_make_the_same_bytes() {
    let collected = || {
        let mut collected = of(Synth::with_connections(5, 3_000).take(20_000));
        collected.lost(3);
        collected
    };
    assert!(page(&collected()) == page(&collected()));
}

#[test]
fn links_and_labels_lead_to_elements_of_which_there_is_one() {
    let page = page(&of(Synth::new(3).take(5_000)));
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    let targets = page
        .split("aria-labelledby=\"")
        .chain(page.split("href=\"#"));
    let targets = targets.filter_map(|rest| rest.split('"').next());
    let targets: Vec<&str> = targets.flat_map(str::split_whitespace).collect();
    let known = targets
        .iter()
        .filter(|target| ids.contains(*target))
        .count();
    // Each plot has a title and a description, and each section a heading.
    let plots = page.matches("role=\"img\"").count();
    assert!(plots > 40 && known >= 2 * plots + 7, "{known} of {plots}");
}

#[test]
fn figures_are_those_of_the_events() {
    let events: Vec<Record> = Synth::with_connections(9, 50).take(2_345).collect();
    let mut collected = of(events.iter().cloned());
    collected.lost(7);
    collected.lost(5);
    let page = page(&collected);
    let segments: u32 = events.iter().filter_map(|event| event.segments()).sum();
    assert_eq!(figure(&page, "events"), "2,345");
    assert_eq!(
        figure(&page, "segments").replace(',', ""),
        segments.to_string()
    );
    assert_eq!(figure(&page, "peers"), "50");
    assert_eq!(figure(&page, "connections"), "50");
    assert_eq!(figure(&page, "lost"), "12");
    let fast = events
        .iter()
        .filter(|event| event.kind() == Kind::Fast)
        .count();
    let (_, row) = page.split_once("<tr id=\"kind-fast\">").expect("a row");
    let cells: Vec<&str> = row.split("class=\"number\">").skip(1).take(3).collect();
    let number = cells[2].split('<').next().expect("a number");
    assert_eq!(number.replace(',', ""), fast.to_string());
}

#[test]
fn without_events_a_page_says_so() {
    let empty = page(&Collected::default());
    assert!(empty.contains("There is no event."));
    assert!(empty.contains("There is nothing to read"));
    let mut quiet = Collected::default();
    for second in 0..100 {
        quiet.mark(Duration::from_secs(1_767_225_600 + second));
    }
    let quiet = page(&quiet);
    assert!(quiet.contains("No retransmit was seen between 2026-01-01 00:00:00"));
    assert_eq!(text::spaced(figure(&quiet, "coverage")), "100 %");
}

#[test]
fn one_event_makes_a_page() {
    let page = page(&of(Synth::new(1).take(1)));
    assert!(page.contains("1 segment was sent again"));
    assert!(page.contains("No rule fits: 1 event says too little."));
    assert!(page.contains("id=\"connection-1\""));
}

#[test]
fn attempts_that_failed_alone_make_a_page() {
    let failed = Synth::new(1).take(30).map(|event| {
        event.with(|event| {
            event.set_sent(Some(false));
            event.set_segments(Some(0));
        })
    });
    let page = page(&of(failed));
    assert_eq!(figure(&page, "segments"), "0");
    assert_eq!(figure(&page, "not-sent"), "30");
}

#[test]
fn forged_values_make_a_page() {
    let forged = (0..500_u32).map(|number| {
        Record::retransmit(
            local(),
            SocketAddr::new(Ipv4Addr::from_bits(number).into(), 0),
        )
        .with(|event| {
            let times = [0, 1, u64::MAX / 2_000_000_000, 1_767_225_600];
            event.set_wall_time(Duration::from_secs(times[number as usize % 4]));
            event.set_segments(Some(u32::MAX));
            event.set_length(Some(u32::MAX));
            event.set_seq(Some(number.wrapping_mul(2_654_435_761)));
            event.set_end_seq(Some(number.wrapping_mul(40_503)));
            event.set_snd_una(Some(number.wrapping_mul(2_246_822_519)));
            event.set_snd_nxt(Some(number));
            event.set_srtt(Some(Duration::from_secs(u64::from(number) * 1_000)));
            event.set_min_rtt(Some(Duration::from_micros(1)));
            event.set_dsack_dups(Some(u32::MAX - number));
            event.set_packets_out(Some(u32::MAX));
            event.set_bytes_sent(Some(u64::from(number)));
            event.set_bytes_retrans(Some(u64::MAX));
            event.set_delivered(Some(1));
            event.set_mss(Some(0));
            event.set_retransmits(Some(255));
        })
    });
    let mut collected = of(forged);
    collected.lost(u64::MAX);
    collected.lost(u64::MAX);
    collected.mark(Duration::from_secs(u64::MAX / 2_000_000_000));
    collected.census([CensusRow {
        interval: Duration::from_secs(u64::MAX / 2_000_000_000),
        segments: u64::MAX,
        retransmitted_segments: u64::MAX,
        rtt_buckets: [u32::MAX; 24],
        ..CensusRow::EMPTY
    }]);
    assert!(page(&collected).len() < 3_000_000);
}

#[test]
fn of_more_connections_than_there_is_room_for_the_worst_are_shown() {
    let mut collected = Collected::default();
    let heavy: SocketAddr = "192.0.2.9:443".parse().expect("an address");
    for number in 0..70_000_u32 {
        let peer = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 443);
        for peer in [heavy, peer] {
            let event = Record::retransmit(local(), peer)
                .with_time(Duration::from_millis(u64::from(number)))
                .with(|event| event.set_seq(Some(number)));
            collected.event(&event, []);
        }
    }
    let page = page(&collected);
    assert!(page.contains("1. <span class=\"mono\">10.0.0.1:40000 → 192.0.2.9:443</span>"));
    assert_eq!(figure(&page, "peers"), "70,001");
    assert_eq!(figure(&page, "connections"), "70,001");
    assert!(page.contains("There were too many to keep all at once"));
    assert!(
        page.contains("of every 128 retransmits is drawn"),
        "points are thinned"
    );
}
