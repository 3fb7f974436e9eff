/** An IPv4 or IPv6 address. `::ffff:192.0.2.1` is the IPv4 address. */
export declare class IpAddress {
  private constructor();
  /** From 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`. */
  static fromBytes(bytes: ArrayLike<number>): IpAddress;
  /** The order of the 16 bytes; for `sort`. */
  static compare(one: IpAddress, other: IpAddress): number;
  readonly version: 4 | 6;
  /** The 16 bytes in network order. */
  readonly bytes: Uint8Array;
  equals(other: IpAddress): boolean;
  /** Text as of RFC 5952. */
  toString(): string;
  toJSON(): string;
}

/** A network of addresses such as `10.0.0.0/8`. An IPv6 network contains no IPv4 address. */
export declare class IpNetwork {
  /** From an address, and how many of its leading bits all addresses of the network share. */
  constructor(address: IpAddress, prefixLength: number);
  readonly address: IpAddress;
  readonly prefixLength: number;
  contains(address: IpAddress): boolean;
  toString(): string;
  toJSON(): string;
}

/** The address in text: IPv4, or IPv6 without a zone. */
export declare function parseAddress(text: string): IpAddress;

/** The network in text: an address with a number of bits, or one address. */
export declare function parseNetwork(text: string): IpNetwork;
