//! Makes a record of what the ring carries for an event: the probe sends only what the kernel knows.

use retrans_event::RECORD_SIZE;

include!(concat!(env!("OUT_DIR"), "/ring_event.rs"));

/// The bytes of a `struct retrans_ring_event`.
pub type RingEvent = [u8; RING_EVENT_SIZE];

/// Writes the fields of the kernel into a record that has none of them.
pub fn fill(record: &mut [u8; RECORD_SIZE], event: &RingEvent) {
    copy(event, record);
}

#[cfg(test)]
mod tests {
    use retrans_event::FIELDS;
    use retrans_event::Record;

    use super::*;

    /// Name, offset and size of each member of `struct retrans_ring_event`.
    const MEMBERS: &[(&str, usize, usize)] = include!(concat!(env!("OUT_DIR"), "/ring_layout.rs"));

    /// The place of a member in the record.
    fn place(name: &str) -> Option<usize> {
        if name == "present" {
            return Some(retrans_event::PRESENCE_WORDS[0]);
        }
        let field = FIELDS.iter().find(|field| field.name == name);
        field.map(|field| field.offset)
    }

    #[test]
    fn every_field_of_the_kernel_comes_to_its_place_and_no_other_byte_changes() {
        // Consecutive bytes differ, and none is 0.
        let ring: [u8; RING_EVENT_SIZE] = std::array::from_fn(|index| (index % 251) as u8 + 1);
        let empty = Record::new();
        let mut record = *empty.as_bytes().first_chunk().expect("a whole record");
        fill(&mut record, &ring);
        let mut expected = empty.as_bytes().to_vec();
        for (name, offset, size) in MEMBERS {
            if let Some(place) = place(name) {
                expected[place..place + size].copy_from_slice(&ring[*offset..offset + size]);
            } else {
                assert_eq!(*name, "unused");
            }
        }
        assert_eq!(record[..], expected);
        let copied = record.iter().zip(empty.as_bytes());
        let copied = copied.filter(|(byte, before)| byte != before).count();
        assert_eq!(copied, 270);
    }
}
