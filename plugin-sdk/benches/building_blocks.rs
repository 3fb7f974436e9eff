//! What the building blocks of the SDK take, in this machine's own code: cargo bench -p retrans-plugin-sdk

#![allow(missing_docs)]

#[path = "../src/random.rs"]
mod random;

use std::net::Ipv4Addr;
use std::time::Instant;

use retrans_plugin_sdk::prelude::*;

use random::Random;

fn main() {
    what_a_look_up_takes();
    what_a_tick_with_5000_keys_and_an_hour_takes();
    what_an_event_takes();
}

/// Size of the saved bytes.
fn saved(state: &impl Serialize) -> usize {
    let mut bytes = Vec::new();
    ciborium::into_writer(state, &mut bytes).expect("it is plain");
    bytes.len()
}

fn what_a_look_up_takes() {
    for count in [10, 1_000, 1_000_000] {
        let mut random = Random(count);
        let mut map = PrefixMap::new();
        while map.len() < count as usize {
            let length = 8 + random.below(25) as u8;
            let address = IpAddr::from(Ipv4Addr::from_bits(random.next() as u32));
            map.insert(Cidr::truncate(address, length), 0_u32);
        }
        let addresses: Vec<IpAddr> = (0..1_000_000)
            .map(|_| Ipv4Addr::from_bits(random.next() as u32).into())
            .collect();
        let begin = Instant::now();
        let found = addresses
            .iter()
            .filter(|address| map.get(**address).is_some())
            .count();
        let each = begin.elapsed() / addresses.len() as u32;
        println!("{count} networks: {each:?} a look-up, {found} found");
    }
}

fn what_a_tick_with_5000_keys_and_an_hour_takes() {
    let hour = Duration::from_secs(3_600);
    let mut random = Random(1);
    let mut bucketed = BucketedCounter::new(hour, 60);
    let mut sliding = SlidingCounter::new(hour, 1_000);
    for number in 0..1_000_000_u64 {
        let (key, now) = (random.below(5_000), Duration::from_micros(number * 3_600));
        bucketed.add(key, now);
        sliding.add(key, now);
    }
    let millis = |work: &mut dyn FnMut()| {
        let begin = Instant::now();
        (0..20).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e3 / 20.0
    };
    let counts: u64 = bucketed.iter(hour).map(|(_, count)| count).sum();
    let idle = [
        millis(&mut || bucketed.remove_idle(hour)),
        millis(&mut || sliding.remove_idle(hour)),
    ];
    let read = millis(&mut || {
        assert_eq!(
            bucketed.iter(hour).map(|(_, count)| count).sum::<u64>(),
            counts
        )
    });
    let mut sizes = [0; 2];
    let save = [
        millis(&mut || sizes[0] = saved(&bucketed)),
        millis(&mut || sizes[1] = saved(&sliding)),
    ];
    println!(
        "ms, bucketed and sliding: remove_idle {idle:.3?}, all counts {read:.3}, save {save:.2?}, bytes {sizes:?}"
    );
}

fn what_an_event_takes() {
    for (capacity, keys) in [(100, 90), (100, 100_000), (10_000, 100_000)] {
        let mut random = Random(1);
        let keys: Vec<u64> = (0..1_000_000).map(|_| random.below(keys)).collect();
        let mut top = TopK::new(capacity);
        let begin = Instant::now();
        keys.iter().for_each(|key| top.add(*key, 1));
        let each = begin.elapsed() / keys.len() as u32;
        println!("capacity {capacity}: {each:?} an event, {} kept", top.len());
    }
}
