//! Items that are read from lines: marks, losses, and streams that restart.

use std::fmt::Write as _;

use retrans_event::Event;

use super::*;

/// 2026-01-01T00:00:00Z.
const YEAR: Duration = Duration::from_secs(1_767_225_600);

/// Appends an event at `millis` milliseconds after boot, which was at [`YEAR`].
fn event(text: &mut String, millis: u64) {
    let timestamp = crate::system::timestamp::show(YEAR + Duration::from_millis(millis), 9);
    let nanos = 1_000_000 * millis;
    let _ = writeln!(
        text,
        r#"{{"type":"retransmit","timestamp":"{timestamp}","state":"ESTABLISHED","source":{{"ip":"10.0.0.1","port":1}},"destination":{{"ip":"10.0.0.2","port":2}},"record":{{"boot_time_ns":{nanos}}}}}"#
    );
}

fn gap(text: &mut String, lost: u64) {
    let _ = writeln!(text, r#"{{"type":"gap","lost":{lost}}}"#);
}

impl Pollable for io::BufReader<io::Repeat> {
    fn would_block(&self) -> bool {
        false
    }
}

fn census(text: &mut String, millis: u64, port: u16) {
    let row = CensusRow {
        time: Duration::from_millis(millis),
        wall_time: YEAR + Duration::from_millis(millis),
        service_port: port,
        ..CensusRow::EMPTY
    };
    let row = serde_json::to_string(&row).expect("numbers alone");
    let _ = writeln!(text, "{row}");
}

/// The items in short form: events as their times in ms, marks as `|` and their time in ms, losses as `-3`.
fn read(text: &str) -> Vec<String> {
    let mut lines = Lines::new(text.as_bytes()).expect("it is not empty");
    let mut items = Vec::new();
    while let Some(item) = lines.item(Batch::new).expect("all lines are sound") {
        let (lost, mut shown) = match &item {
            Item::Events(batch) => {
                let times = batch
                    .events()
                    .map(|event| event.time().as_millis().to_string());
                (batch.lost, times.collect::<Vec<_>>().join(" "))
            }
            Item::Census(census) => {
                let ports = census.rows().map(|row| row.service_port.to_string());
                (
                    0,
                    format!("census of {}", ports.collect::<Vec<_>>().join(" ")),
                )
            }
            Item::Mark(mark) | Item::End(mark) => {
                let wall_time = mark.wall_time.checked_sub(YEAR);
                assert_eq!(wall_time, Some(mark.time), "boot was at YEAR");
                (mark.lost, format!("|{}", mark.time.as_millis()))
            }
        };
        if lost > 0 {
            shown = format!("-{lost} {shown}");
        }
        items.push(shown);
    }
    items
}

fn times(millis: &[u64]) -> String {
    let mut text = String::new();
    millis.iter().for_each(|millis| event(&mut text, *millis));
    text
}

#[test]
fn marks_are_a_second_apart_between_the_events() {
    let items = read(&times(&[500, 505, 1_499, 1_500, 1_501, 4_600]));
    let expected = [
        "500 505",
        "1499",
        "|1500",
        "1500 1501",
        "|2500",
        "|3500",
        "|4500",
        "4600",
    ];
    assert_eq!(items, expected);
}

#[test]
fn a_batch_is_full_or_short() {
    let items = read(&times(&[5; 600]));
    let lengths: Vec<usize> = items.iter().map(|item| item.split(' ').count()).collect();
    assert_eq!(lengths, [256, 256, 88]);
    assert_eq!(read(&times(&[0, 10, 11])), ["0 10", "11"]);
}

#[test]
fn a_little_back_in_time_is_no_other_stream() {
    let items = read(&times(&[1_000, 1_950, 1_850, 2_000, 1_990, 3_000]));
    let expected = [
        "1000",
        "1950",
        "1850",
        "|2000",
        "2000 1990",
        "|3000",
        "3000",
    ];
    assert_eq!(items, expected);
}

#[test]
fn the_stream_of_the_next_boot_has_marks_of_its_own() {
    let items = read(&times(&[900_000, 10, 1_010, 900_000]));
    assert_eq!(items[..5], ["900000", "10", "|1010", "1010", "|2010"]);
    assert_eq!(items.len(), 5 + 897 + 1);
}

#[test]
fn of_a_long_silence_there_are_the_marks_of_its_last_hour() {
    let day = 24 * 3_600_000;
    let items = read(&times(&[0, day + 500]));
    assert_eq!(items.len(), 2 + 3_600);
    assert_eq!(items[1], format!("|{}", day - 3_599_000));
    assert_eq!(items[3_600], format!("|{day}"));
    assert_eq!(items[3_601], (day + 500).to_string());
    // A period of an hour has all its marks.
    assert_eq!(read(&times(&[0, 3_600_000])).len(), 2 + 3_600);
}

#[test]
fn a_loss_is_reported_before_the_events_that_follow_it() {
    let mut text = times(&[0, 1]);
    gap(&mut text, 3);
    text += &times(&[2, 3]);
    gap(&mut text, 0);
    text += &times(&[4]);
    assert_eq!(read(&text), ["0 1", "-3 2 3 4"]);
}

#[test]
fn losses_in_a_row_stay_apart() {
    let mut text = String::new();
    gap(&mut text, 1);
    gap(&mut text, 2);
    text += &times(&[100]);
    (3..=6).for_each(|lost| gap(&mut text, lost));
    text += &times(&[2_200]);
    gap(&mut text, 7);
    gap(&mut text, 8);
    let expected = [
        "-1 |100", "-2 100", "-3 |1100", "-4 |2100", "-5 |2200", "-6 2200", "-7 |2200", "-8 |2200",
    ];
    assert_eq!(read(&text), expected);
}

#[test]
fn a_loss_is_reported_without_any_event() {
    let mut lines = Lines::new(&b"{\"type\":\"gap\",\"lost\":5}\n"[..]).expect("one line");
    let item = lines.item(Batch::new);
    assert!(matches!(item, Ok(Some(Item::Mark(mark))) if mark.lost == 5));
    assert!(matches!(lines.item(Batch::new), Ok(None)));
}

#[test]
fn losses_in_a_row_beyond_the_limit_are_added_up() {
    let mut text = String::new();
    (0..5_000).for_each(|_| gap(&mut text, 1));
    gap(&mut text, u64::MAX);
    text += &times(&[0]);
    let items = read(&text);
    assert_eq!(items.len(), 3_600);
    assert_eq!(items[3_599], format!("-{} 0", u64::MAX));
}

#[test]
fn empty_lines_are_passed_over_and_counted() {
    let mut text = "\n \r\n".to_owned();
    event(&mut text, 0);
    text += "{\n";
    let mut lines = Lines::new(text.as_bytes()).expect("it is not empty");
    let before = lines.item(Batch::new);
    assert!(matches!(before, Ok(Some(Item::Events(batch))) if batch.len() == 1));
    let error = lines
        .item(Batch::new)
        .expect_err("the last line is no JSON");
    assert!(error.to_string().starts_with("line 4: "), "{error}");
    // The last line may lack a line end.
    assert_eq!(read(times(&[7]).trim_end()), ["7"]);
}

#[test]
fn a_line_without_an_end_is_not_read_as_a_whole() {
    let endless = io::BufReader::new(io::repeat(b' '));
    let mut lines = Lines::new(endless).expect("it is not empty");
    let error = lines.item(Batch::new).expect_err("there is no end");
    assert_eq!(error.to_string(), "line 1: it is longer than 1 MiB");
    // A line of exactly 1 MiB is read.
    let mut text = times(&[3]);
    text.insert_str(1, &" ".repeat((1 << 20) - text.len()));
    assert_eq!(text.len(), 1 << 20);
    assert_eq!(read(&text), ["3"]);
}

#[test]
fn labels_are_those_of_their_events() {
    let mut text = String::new();
    for labels in [r#"{"a":"1","b":"2"}"#, "{}", "null", r#"{"b":"3"}"#] {
        let event = times(&[1]);
        text += &event.replacen('{', &format!(r#"{{"labels":{labels},"#), 1);
    }
    let mut lines = Lines::new(text.as_bytes()).expect("it is not empty");
    let Ok(Some(Item::Events(batch))) = lines.item(Batch::new) else {
        panic!("there are events")
    };
    let expected = [
        Column::new("a", [(0, "1")]),
        Column::new("b", [(0, "2"), (3, "3")]),
    ];
    assert_eq!(batch.labels.columns(), expected);
    let sequences: Vec<u64> = batch.events().map(Event::sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3]);
}

#[test]
fn rows_of_one_time_are_a_census_before_the_next_mark() {
    let mut text = times(&[500]);
    census(&mut text, 1_400, 1);
    census(&mut text, 1_400, 2);
    gap(&mut text, 3);
    event(&mut text, 1_410);
    census(&mut text, 2_600, 3);
    census(&mut text, 4_600, 4);
    event(&mut text, 4_700);
    let expected = [
        "500",
        "census of 1 2",
        "-3 1410",
        "|1500",
        "|2500",
        "census of 3",
        "|3500",
        "|4500",
        "census of 4",
        "4700",
    ];
    assert_eq!(read(&text), expected);
}

#[test]
fn a_file_of_a_census_alone_is_read() {
    let mut text = String::new();
    census(&mut text, 1_000, 1);
    census(&mut text, 11_000, 2);
    let items = read(&text);
    assert_eq!(items.len(), 11, "{items:?}");
    assert_eq!(
        (&items[0][..], &items[10][..]),
        ("census of 1", "census of 2")
    );
}

#[test]
fn a_row_that_is_none_is_an_error_of_its_line() {
    let mut text = times(&[500]);
    text.push_str("{\"type\":\"census\",\"segments\":-1}\n");
    let mut lines = Lines::new(text.as_bytes()).expect("it is not empty");
    assert!(lines.item(Batch::new).is_ok());
    let error = lines.item(Batch::new).expect_err("no row").to_string();
    assert!(error.starts_with("line 2: "), "{error}");
}
