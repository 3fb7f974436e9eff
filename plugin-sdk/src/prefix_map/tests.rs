//! The longest match, compared with a search through all networks.

use super::*;
use crate::random::Random;

fn network(text: &str) -> Cidr {
    text.parse().expect("a network")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The network with the most bits that contains the address.
fn naive(networks: &[(Cidr, usize)], address: IpAddr) -> Option<(Cidr, usize)> {
    let within = networks
        .iter()
        .filter(|(network, _)| network.contains(address));
    within
        .max_by_key(|(network, _)| network.prefix_len())
        .copied()
}

/// An address among few: networks and addresses often share bits.
fn near(random: &mut Random, wide: bool) -> IpAddr {
    let bits = random.next() & random.next() & random.next();
    match wide {
        true => Ipv6Addr::from_bits(u128::from(bits) << 64 | u128::from(random.next())).into(),
        false => Ipv4Addr::from_bits(bits as u32).into(),
    }
}

#[test]
fn the_longest_match_is_that_of_a_search_through_all() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut map = PrefixMap::new();
        let mut networks: Vec<(Cidr, usize)> = Vec::new();
        for number in 0..random.below(200) as usize {
            let wide = random.below(2) == 0;
            let length = random.below(if wide { 129 } else { 33 }) as u8;
            let network = Cidr::truncate(near(&mut random, wide), length);
            networks.retain(|(other, _)| *other != network);
            networks.push((network, number));
            map.insert(network, number);
        }
        assert_eq!(map.len(), networks.len());
        let mut found = 0;
        for _ in 0..500 {
            let wide = random.below(2) == 0;
            let address = near(&mut random, wide);
            let expected = naive(&networks, address);
            let actual = map
                .get_with_prefix(address)
                .map(|(network, value)| (network, *value));
            assert_eq!(actual, expected, "{address} of seed {seed}");
            assert_eq!(map.get(address).copied(), expected.map(|(_, value)| value));
            found += u32::from(expected.is_some());
        }
        assert!(networks.len() < 50 || found > 20, "{found}");
        networks.sort();
        assert!(
            map.iter()
                .map(|(network, value)| (network, *value))
                .eq(networks)
        );
    }
}

#[test]
fn the_network_of_all_addresses_is_the_last_resort_of_its_version() {
    let map: PrefixMap<&str> = [
        (network("0.0.0.0/0"), "any IPv4"),
        (network("::/0"), "any IPv6"),
        (network("10.0.0.0/8"), "ten"),
        (network("255.255.255.255"), "last"),
    ]
    .into_iter()
    .collect();
    for (text, expected) in [
        ("9.255.255.255", "any IPv4"),
        ("10.0.0.0", "ten"),
        ("10.255.255.255", "ten"),
        ("11.0.0.0", "any IPv4"),
        ("255.255.255.255", "last"),
        ("::", "any IPv6"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "any IPv6"),
        ("::ffff:10.0.0.1", "ten"),
    ] {
        assert_eq!(map.get(address(text)), Some(&expected), "{text}");
    }
}

#[test]
fn a_network_that_is_set_again_or_removed_has_no_old_value() {
    let mut map = PrefixMap::new();
    assert_eq!(map.insert(network("10.0.0.0/8"), 1), None);
    assert_eq!(map.insert(network("::ffff:10.0.0.0/104"), 2), Some(1));
    assert_eq!((map.len(), map.get(address("10.1.1.1"))), (1, Some(&2)));
    assert_eq!(map.remove(network("10.0.0.0/9")), None);
    assert_eq!(map.remove(network("10.0.0.0/8")), Some(2));
    assert!(map.is_empty());
    assert_eq!(map.get(address("10.1.1.1")), None);
}

#[test]
fn a_map_survives_and_nonsense_is_refused() {
    let map: PrefixMap<u32> = [(network("10.0.0.0/8"), 1), (network("2001:db8::/32"), 2)]
        .into_iter()
        .collect();
    let text = serde_json::to_string(&map).expect("it is plain");
    assert_eq!(text, r#"{"10.0.0.0/8":1,"2001:db8::/32":2}"#);
    let read: PrefixMap<u32> = serde_json::from_str(&text).expect("it was just written");
    assert!(read.iter().eq(map.iter()));
    for (text, expected) in [
        (
            r#"{"10.0.0.0/8":1,"10.0.0.0/8":1}"#,
            "10.0.0.0/8 occurs twice",
        ),
        (r#"{"10.0.0.1/8":1}"#, "expected 10.0.0.0/8"),
        ("[]", "expected networks with their values"),
    ] {
        let error = serde_json::from_str::<PrefixMap<u32>>(text).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
}
