//! The labels of a call's events, in columns: one for each key, with the values for some of the events.
//!
//! A list of (event, key, value) would need three allocations for each label, on either side of the
//! boundary.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::iter;

use crate::column::Column;
use crate::host::Host;

/// The labels of one call's events: those of the host and earlier plugins, fetched at the first use, and
/// those of this plugin. Both are in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    earlier: OnceCell<Vec<Column>>,
    own: Vec<Column>,
}

impl Labels {
    /// Clears the labels of the last call, and keeps the buffers of the keys that it used.
    pub(crate) fn begin(&mut self) {
        self.earlier.take();
        self.own.retain(|column| !column.events.is_empty());
        self.own.iter_mut().for_each(Column::clear);
    }

    pub(crate) fn set(&mut self, event: u32, key: &str, value: impl fmt::Display) {
        let position = self.own.partition_point(|column| column.key.as_str() < key);
        if self
            .own
            .get(position)
            .is_none_or(|column| column.key != key)
        {
            self.own.insert(position, Column::new(key));
        }
        self.own[position].set(event, value);
    }

    /// Removes this plugin's labels of an event that is dropped.
    #[inline]
    pub(crate) fn unset(&mut self, event: u32) {
        for column in &mut self.own {
            column.unset(event);
        }
    }

    pub(crate) fn get(&self, host: &dyn Host, event: u32, key: &str) -> Option<&str> {
        let own = self.own.iter().find(|column| column.key == key);
        own.and_then(|column| column.newest(event)).or_else(|| {
            let mut earlier = self.earlier(host).iter();
            earlier.find(|column| column.key == key)?.get(event)
        })
    }

    /// Keys and values for one event, in the order of the keys.
    pub(crate) fn of(
        &self,
        host: &dyn Host,
        event: u32,
    ) -> impl Iterator<Item = (&str, &str)> + use<'_> {
        let earlier = self.earlier(host).iter();
        let mut earlier = earlier
            .filter_map(move |column| Some((column.key.as_str(), column.get(event)?)))
            .peekable();
        let own = self.own.iter();
        let mut own = own
            .filter_map(move |column| Some((column.key.as_str(), column.newest(event)?)))
            .peekable();
        iter::from_fn(move || match (earlier.peek(), own.peek()) {
            (Some((before, _)), Some((after, _))) => match before.cmp(after) {
                Ordering::Less => earlier.next(),
                Ordering::Equal => {
                    earlier.next();
                    own.next()
                }
                Ordering::Greater => own.next(),
            },
            (Some(_), None) => earlier.next(),
            (None, _) => own.next(),
        })
    }

    /// The columns to pass to the host.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.own.iter().filter(|column| !column.events.is_empty())
    }

    fn earlier(&self, host: &dyn Host) -> &[Column] {
        self.earlier.get_or_init(|| {
            let mut columns = host.labels();
            columns.sort_by(|a, b| a.key.cmp(&b.key));
            columns
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_keys_do_not_accumulate() {
        let mut labels = Labels::default();
        for call in 0..100 {
            labels.begin();
            labels.set(0, "often", call);
            labels.set(0, &format!("once {call}"), call);
            assert_eq!(labels.columns().count(), 2);
            assert!(labels.own.len() <= 3);
        }
    }
}
