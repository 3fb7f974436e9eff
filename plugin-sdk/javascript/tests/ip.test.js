import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, parseAddress, parseNetwork } from "../retrans/index.js";

test("addresses have the text of RFC 5952", () => {
  for (const [text, expected] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["fe80::ffff:ffff:ffff:ffff", "fe80::ffff:ffff:ffff:ffff"],
  ]) {
    assert.equal(String(parseAddress(text)), expected);
  }
});

test("what is no address is refused", () => {
  const wrong = ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "12345::"];
  for (const text of [...wrong, "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1%eth0", "1.2.3.4::", "g::", " ::1", 7]) {
    assert.throws(() => parseAddress(text), /expected an IP address/, String(text));
  }
});

test("addresses are in the order of their bytes", () => {
  const texts = ["::1", "192.0.2.9", "192.0.2.10", "200.0.0.1", "2001:db8::1", "fe80::1"];
  const shuffled = [3, 0, 5, 2, 4, 1].map((index) => parseAddress(texts[index]));
  assert.deepEqual(shuffled.sort(IpAddress.compare).map(String), texts);
  assert.ok(parseAddress("::ffff:1.2.3.4").equals(parseAddress("1.2.3.4")));
});

test("a network contains its addresses", () => {
  for (const [network, inside, outside] of [
    ["10.0.0.0/8", "10.255.0.1", "11.0.0.0"],
    ["10.2.0.0/23", "10.2.1.255", "10.2.2.0"],
    ["0.0.0.0/0", "255.255.255.255", "::"],
    ["192.0.2.1", "192.0.2.1", "192.0.2.0"],
    ["2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"],
    ["2001:db8:2::80/121", "2001:db8:2::ff", "2001:db8:2::7f"],
    ["::/0", "ffff::", "192.0.2.1"],
    ["::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"],
  ]) {
    const parsed = parseNetwork(network);
    assert.ok(parsed.contains(parseAddress(inside)), `${network} has ${inside}`);
    assert.ok(!parsed.contains(parseAddress(outside)), `${network} lacks ${outside}`);
  }
});

test("a wrong network is refused, with the one that was probably meant", () => {
  assert.throws(() => parseNetwork("10.1.2.3/8"), /10\.1\.2\.3\/8 has bits after the first 8: expected 10\.0\.0\.0\/8/);
  assert.throws(() => parseNetwork("10.0.0.0/33"), /expected at most 32/);
  assert.throws(() => parseNetwork("::/129"), /expected at most 128/);
  for (const text of ["10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/a", "/8", "", "10.0.0.0/8/8"]) {
    assert.throws(() => parseNetwork(text), /expected a network/, text);
  }
});
