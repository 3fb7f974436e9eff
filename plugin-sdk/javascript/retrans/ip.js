/** IP addresses and networks. IPv4 has one form: `::ffff:192.0.2.1` is `192.0.2.1`. */

import { cachedByWords } from "./cache.js";

/** The third word of an IPv4 address, as a record has it. The first two are 0. */
const MAPPED = 0xffff0000 | 0;

/** The address in the four words of a record. Peers repeat. */
export const addressFromWords = cachedByWords((a, b, c, d) => new IpAddress(a, b, c, d));

/** An IPv4 or IPv6 address. */
export class IpAddress {
  #text;

  /** From the words of its 16 bytes, as this machine reads them: little-endian. */
  constructor(a, b, c, d) {
    // Not private, and no list: engines without a compiler are slow at both.
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  /** From 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`. */
  static fromBytes(bytes) {
    if (bytes.length !== 16) {
      throw new RangeError(`an address has 16 bytes, not ${bytes.length}`);
    }
    const [a, b, c, d] = new Int32Array(Uint8Array.from(bytes).buffer);
    return new IpAddress(a, b, c, d);
  }

  /** 4 or 6. */
  get version() {
    return this.c === MAPPED && this.a === 0 && this.b === 0 ? 4 : 6;
  }

  /** The 16 bytes in network order. */
  get bytes() {
    return new Uint8Array(Int32Array.of(this.a, this.b, this.c, this.d).buffer);
  }

  equals(other) {
    return this.d === other.d && this.c === other.c && this.b === other.b && this.a === other.a;
  }

  /** Text as of RFC 5952. */
  toString() {
    if (this.#text === undefined) {
      const { bytes } = this;
      this.#text = this.version === 4 ? bytes.slice(12).join(".") : format6(bytes);
    }
    return this.#text;
  }

  toJSON() {
    return this.toString();
  }

  /** The order of the 16 bytes; for `sort`. */
  static compare(one, other) {
    const { bytes: first } = one;
    const { bytes: second } = other;
    const index = first.findIndex((byte, place) => byte !== second[place]);
    return index < 0 ? 0 : first[index] - second[index];
  }
}

function format6(bytes) {
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[2 * index] << 8) | bytes[2 * index + 1]);
  // The first of the longest runs of two or more zeros is left out.
  let [start, length] = [0, 1];
  for (let from = 0; from < 8; from += 1) {
    let to = from;
    while (to < 8 && groups[to] === 0) {
      to += 1;
    }
    if (to - from > length) {
      [start, length] = [from, to - from];
    }
  }
  const text = (some) => some.map((group) => group.toString(16)).join(":");
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The address in text: IPv4, or IPv6 without a zone. */
export function parseAddress(text) {
  const bytes = typeof text === "string" ? (parse4(text) ?? parse6(text)) : undefined;
  if (bytes === undefined) {
    throw new Error(`expected an IP address such as 192.0.2.1 or 2001:db8::1, not ${shown(text)}`);
  }
  return IpAddress.fromBytes(bytes);
}

function shown(value) {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function octets(text) {
  const parts = text.split(".");
  const isValid = parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
  return isValid ? parts.map(Number) : undefined;
}

function parse4(text) {
  const bytes = octets(text);
  return bytes === undefined ? undefined : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes];
}

/** The bytes of groups such as `2001:db8`, whose last may be an IPv4 address. */
function groupBytes(text, isEnd) {
  if (text === "") {
    return [];
  }
  const groups = text.split(":");
  const bytes = [];
  for (const [index, group] of groups.entries()) {
    const four = isEnd && index === groups.length - 1 ? octets(group) : undefined;
    if (four !== undefined) {
      bytes.push(...four);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) {
      const number = Number.parseInt(group, 16);
      bytes.push(number >> 8, number & 0xff);
    } else {
      return undefined;
    }
  }
  return bytes;
}

function parse6(text) {
  const halves = text.split("::");
  const left = groupBytes(halves[0], halves.length === 1);
  const right = groupBytes(halves[1] ?? "", true);
  if (halves.length > 2 || left === undefined || right === undefined) {
    return undefined;
  }
  const missing = 16 - left.length - right.length;
  // `::` stands for one group at least.
  const isWhole = halves.length === 1 ? missing === 0 : missing >= 2;
  return isWhole ? [...left, ...Array(missing).fill(0), ...right] : undefined;
}

/** A network of addresses such as `10.0.0.0/8`. An IPv6 network contains no IPv4 address. */
export class IpNetwork {
  /** From an address, and how many of its leading bits all addresses of the network share. */
  constructor(address, prefixLength) {
    const most = address.version === 4 ? 32 : 128;
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > most) {
      throw new RangeError(`${address}/${prefixLength} has a wrong number of bits: expected at most ${most}`);
    }
    this.address = address;
    this.prefixLength = prefixLength;
    const shared = prefixLength + 128 - most;
    const masks = Array.from(
      { length: 16 },
      (_, index) => 0xff & ~(0xff >> Math.min(Math.max(shared - 8 * index, 0), 8)),
    );
    this.mask = IpAddress.fromBytes(masks);
    Object.freeze(this);
    const first = IpAddress.fromBytes(address.bytes.map((byte, index) => byte & masks[index]));
    if (!first.equals(address)) {
      throw new RangeError(`${this} has bits after the first ${prefixLength}: expected ${first}/${prefixLength}`);
    }
  }

  contains(address) {
    const { address: first, mask } = this;
    return (
      ((first.d ^ address.d) & mask.d) === 0 &&
      ((first.c ^ address.c) & mask.c) === 0 &&
      ((first.b ^ address.b) & mask.b) === 0 &&
      ((first.a ^ address.a) & mask.a) === 0 &&
      first.version === address.version
    );
  }

  toString() {
    return `${this.address}/${this.prefixLength}`;
  }

  toJSON() {
    return this.toString();
  }
}

/** The network in text: an address with a number of bits, or one address. */
export function parseNetwork(text) {
  const [, address, bits] = /^([^/]*)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  let first;
  try {
    first = parseAddress(address);
  } catch {
    throw new Error(`expected a network such as 10.0.0.0/8 or 2001:db8::/32, not ${shown(text)}`);
  }
  // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
  const isMappedText = first.version === 4 && address.includes(":");
  const given = bits === undefined ? (first.version === 4 ? 32 : 128) : Number(bits) - (isMappedText ? 96 : 0);
  return new IpNetwork(first, given);
}
