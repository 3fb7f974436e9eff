//! Networks: text, errors, and which addresses they contain.

use serde_json::json;

use super::*;
use crate::random::Random;

fn network(text: &str) -> Cidr {
    text.parse().expect("a network")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn text_reads_back() {
    for text in [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "10.1.2.3/32",
        "::/0",
        "2001:db8::/32",
        "::1/128",
        "fe80::/10",
    ] {
        assert_eq!(network(text).to_string(), text);
    }
}

#[test]
fn an_address_without_bits_is_the_network_of_that_address() {
    assert_eq!(network("10.1.2.3"), network("10.1.2.3/32"));
    assert_eq!(network("2001:db8::1"), network("2001:db8::1/128"));
    assert_eq!(Cidr::from(address("10.1.2.3")), network("10.1.2.3/32"));
}

#[test]
fn ipv4_has_one_form() {
    assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
    assert_eq!(network("::ffff:0:0/96"), network("0.0.0.0/0"));
    assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1/32"));
    assert!(network("10.0.0.0/8").contains(address("::ffff:10.1.2.3")));
    assert!(!network("::/0").contains(address("10.1.2.3")));
    assert!(!network("::/0").contains(address("::ffff:10.1.2.3")));
    assert!(!network("0.0.0.0/0").contains(address("::1")));
    assert_eq!(
        Cidr::truncate(address("::ffff:10.1.2.3"), 120),
        network("10.1.2.0/24")
    );
}

#[test]
fn bits_beyond_the_network_are_an_error_with_the_right_network() {
    for (text, expected) in [
        (
            "10.1.2.3/8",
            "10.1.2.3/8 has bits after the first 8: expected 10.0.0.0/8",
        ),
        (
            "0.0.0.1/0",
            "0.0.0.1/0 has bits after the first 0: expected 0.0.0.0/0",
        ),
        (
            "2001:db8::1/32",
            "2001:db8::1/32 has bits after the first 32: expected 2001:db8::/32",
        ),
        (
            "::ffff:10.1.2.3/104",
            "::ffff:10.1.2.3/104 has bits after the first 104: expected 10.0.0.0/8",
        ),
        (
            "::ffff:10.0.0.0/90",
            "::ffff:10.0.0.0/90 has bits after the first 90: expected ::ffc0:0:0/90",
        ),
        (
            "10.0.0.0/33",
            "10.0.0.0/33 has too many bits: expected at most 32",
        ),
        ("::/129", "::/129 has too many bits: expected at most 128"),
    ] {
        let error = text.parse::<Cidr>().expect_err(text).to_string();
        assert_eq!(error, expected);
    }
}

#[test]
fn text_that_is_not_a_network_is_refused() {
    for text in [
        "",
        "/",
        "10.0.0.0/",
        "/8",
        "10.0.0/8",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8/8",
        "10.0.0.0/256",
        " 10.0.0.0/8",
        "ten/8",
        "10.0.0.0/8 ",
        "10.0.0.0/255.0.0.0",
        "fe80::1%eth0/64",
        "[::]/0",
    ] {
        let error = text.parse::<Cidr>().expect_err(text).to_string();
        assert!(error.contains("is not a network: expected"), "{error}");
    }
}

#[test]
fn a_setting_is_text_and_its_error_has_the_right_network() {
    let read = |value| serde_json::from_value::<Cidr>(value).map_err(|error| error.to_string());
    assert_eq!(read(json!("10.0.0.0/8")), Ok(network("10.0.0.0/8")));
    assert_eq!(
        serde_json::to_value(network("10.0.0.0/8")).ok(),
        Some(json!("10.0.0.0/8"))
    );
    let error = read(json!("10.0.0.1/8")).expect_err("it has other bits");
    assert!(error.ends_with("expected 10.0.0.0/8"), "{error}");
    let error = read(json!(10)).expect_err("it is a number");
    assert!(error.contains("expected a network such as"), "{error}");
    let schema = crate::settings::schema::<Cidr>().to_value();
    assert_eq!(schema["type"], "string");
    assert_eq!(schema["examples"][0], "10.0.0.0/8");
}

#[test]
fn a_network_contains_the_addresses_with_the_same_leading_bits() {
    let mut random = Random(1);
    let mut within = 0;
    for _ in 0..20_000 {
        let (own, other) = (random.next() as u32, random.next() as u32);
        let bits = random.below(33) as u8;
        // Half of the addresses share some of their first bits.
        let other = if random.below(2) == 0 {
            own ^ (other >> random.below(32))
        } else {
            other
        };
        let network = Cidr::truncate(Ipv4Addr::from_bits(own).into(), bits);
        let expected = (0..bits).all(|bit| (own ^ other) & (1 << (31 - bit)) == 0);
        let other = IpAddr::from(Ipv4Addr::from_bits(other));
        assert_eq!(network.contains(other), expected, "{network} {other}");
        assert_eq!(Cidr::new(network.address(), bits), Ok(network));
        within += u32::from(expected);
    }
    assert!((1_000..19_000).contains(&within), "{within}");
}
