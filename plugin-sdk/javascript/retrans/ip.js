/** IP addresses and networks. IPv4 has one form: `::ffff:192.0.2.1` is `192.0.2.1`. */

/** The first three words of an IPv4 address as they are in a record. */
const MAPPED_AS_READ = 0xffff0000;
const MAPPED = 0xffff;

/** Addresses that were decoded, by their word of IPv4: peers repeat, and their text costs more than the look-up. */
let known = new Map();
const MOST_KNOWN = 1024;

/** The address in the four words of a record, each as this machine reads it: little-endian. */
export function addressFromWords(a, b, c, d) {
  if (a !== 0 || b !== 0 || c !== MAPPED_AS_READ) {
    return new IpAddress([swap(a), swap(b), swap(c), swap(d)]);
  }
  let address = known.get(d);
  if (address === undefined) {
    if (known.size >= MOST_KNOWN) {
      known = new Map();
    }
    address = new IpAddress([0, 0, MAPPED, swap(d)]);
    known.set(d, address);
  }
  return address;
}

/** The word with its bytes in the opposite order. */
function swap(word) {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

function wordsOf(bytes) {
  return [0, 4, 8, 12].map((at) => {
    const [a, b, c, d] = bytes.slice(at, at + 4);
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  });
}

function bytesOf(words) {
  return words.flatMap((word) => [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]);
}

/** An IPv4 or IPv6 address. */
export class IpAddress {
  #words;
  #text;

  /** From four numbers of 32 bits, the first bytes first; IPv4 as `::ffff:a.b.c.d`. */
  constructor(words) {
    this.#words = words;
  }

  /** From 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`. */
  static fromBytes(bytes) {
    if (bytes.length !== 16) {
      throw new RangeError(`an address has 16 bytes, not ${bytes.length}`);
    }
    return new IpAddress(wordsOf(bytes));
  }

  /** 4 or 6. */
  get version() {
    const [a, b, c] = this.#words;
    return a === 0 && b === 0 && c === MAPPED ? 4 : 6;
  }

  /** The 16 bytes in network order. */
  get bytes() {
    return Uint8Array.from(bytesOf(this.#words));
  }

  equals(other) {
    return IpAddress.compare(this, other) === 0;
  }

  /** Text as of RFC 5952. */
  toString() {
    if (this.#text === undefined) {
      const bytes = bytesOf(this.#words);
      this.#text = this.version === 4 ? bytes.slice(12).join(".") : format6(bytes);
    }
    return this.#text;
  }

  toJSON() {
    return this.toString();
  }

  /** The order of the 16 bytes; for `sort`. */
  static compare(one, other) {
    for (let index = 0; index < 4; index += 1) {
      const difference = one.#words[index] - other.#words[index];
      if (difference !== 0) {
        return difference;
      }
    }
    return 0;
  }

  /** Whether the bits that the masks have are those of the other address. */
  matches(other, masks) {
    const [a, b] = [this.#words, other.#words];
    return (
      ((a[3] ^ b[3]) & masks[3]) === 0 &&
      ((a[2] ^ b[2]) & masks[2]) === 0 &&
      ((a[1] ^ b[1]) & masks[1]) === 0 &&
      ((a[0] ^ b[0]) & masks[0]) === 0
    );
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
  return bytes === undefined ? undefined : bytesOf([0, 0, MAPPED, 0]).slice(0, 12).concat(bytes);
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
  #masks;

  /** From an address, and how many of its leading bits all addresses of the network share. */
  constructor(address, prefixLength) {
    const most = address.version === 4 ? 32 : 128;
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > most) {
      throw new RangeError(`${address}/${prefixLength} has a wrong number of bits: expected at most ${most}`);
    }
    const bits = prefixLength + 128 - most;
    this.#masks = [0, 1, 2, 3].map((word) => maskOf(bits - 32 * word));
    this.address = address;
    this.prefixLength = prefixLength;
    Object.freeze(this);
    const masks = bytesOf(this.#masks);
    const first = IpAddress.fromBytes(address.bytes.map((byte, index) => byte & masks[index]));
    if (!first.equals(address)) {
      throw new RangeError(`${this} has bits after the first ${prefixLength}: expected ${first}/${prefixLength}`);
    }
  }

  contains(address) {
    return address.matches(this.address, this.#masks) && address.version === this.address.version;
  }

  toString() {
    return `${this.address}/${this.prefixLength}`;
  }

  toJSON() {
    return this.toString();
  }
}

/** A word whose first bits are 1; all of them from 32 on. */
function maskOf(bits) {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
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
