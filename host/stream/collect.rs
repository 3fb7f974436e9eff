//! Turns what flows into what a report collects.

use retrans_view::containers::ContainerNames;
use retrans_view::report::alert as view;
use retrans_view::report::collect::Collected;

use super::alert::Alert;
use super::alert::Severity;
use super::alert::State;
use super::batch::Batch;
use super::batch::Item;

/// Adds an item.
pub fn item(item: &Item, collected: &mut Collected) {
    match item {
        Item::Events(batch) => events(batch, collected),
        Item::Census(census) => collected.census(census.rows()),
        Item::Mark(mark) | Item::End(mark) => {
            collected.lost(mark.lost);
            collected.mark(mark.wall_time);
        }
    }
}

/// Adds events with their labels.
pub fn events(batch: &Batch, collected: &mut Collected) {
    collected.lost(batch.lost);
    if batch.labels.columns().is_empty() {
        batch.events().for_each(|event| collected.event(event, []));
        return;
    }
    for (event, labels) in batch.events().zip(labels(batch)) {
        collected.event(event, labels);
    }
}

/// Takes the names of containers from the labels of events.
pub fn container_names(batch: &Batch, names: &mut ContainerNames) {
    if batch.labels.columns().is_empty() {
        return;
    }
    for (event, labels) in batch.events().zip(labels(batch)) {
        names.learn(event, labels);
    }
}

/// An alert as a report has it.
pub fn alert(alert: Alert) -> view::Alert {
    view::Alert {
        wall_time: alert.wall_time,
        plugin: alert.plugin,
        name: alert.name,
        severity: match alert.severity {
            Severity::Info => view::Severity::Info,
            Severity::Warning => view::Severity::Warning,
            Severity::Critical => view::Severity::Critical,
        },
        is_resolved: alert.state == State::Resolved,
        summary: alert.summary,
        labels: alert.labels,
        connection: alert.connection,
    }
}

/// The labels of each event.
fn labels(batch: &Batch) -> Vec<Vec<(&str, &str)>> {
    let mut labels = vec![Vec::new(); batch.len()];
    for column in batch.labels.columns() {
        for (event, value) in column.iter() {
            if let Some(labels) = labels.get_mut(event as usize) {
                labels.push((column.key.as_str(), value));
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;
    use crate::stream::labels::Column;

    #[test]
    fn each_event_has_its_own_labels() {
        let mut batch = Batch::new();
        for _ in 0..3 {
            batch.push(Record::new().as_bytes());
        }
        batch
            .labels
            .annotate(Column::new("site", [(0, "a"), (2, "c")]));
        batch.labels.annotate(Column::new("rack", [(2, "r")]));
        let expected = [
            vec![("site", "a")],
            vec![],
            vec![("site", "c"), ("rack", "r")],
        ];
        assert_eq!(labels(&batch), expected);
    }
}
