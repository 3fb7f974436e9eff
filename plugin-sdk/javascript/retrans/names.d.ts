// Generated from the table of fields by `cargo run -p sdk-generator`. Do not edit.

/** Cause of a retransmit. Numbers by name. */
export declare const Kind: {
  readonly unknown: 0;
  readonly syn: 1;
  readonly syn_ack: 2;
  readonly tail_loss_probe: 3;
  readonly timeout: 4;
  readonly loss_recovery: 5;
  readonly fast: 6;
};

/** Cause of a retransmit. A name, or `other(N)` for a number without one. */
export type KindName = keyof typeof Kind | `other(${number})`;

/** The tracepoint that reported the event. Numbers by name. */
export declare const Tracepoint: {
  readonly tcp_retransmit_skb: 0;
  readonly tcp_retransmit_synack: 1;
};

/** The tracepoint that reported the event. A name, or `other(N)` for a number without one. */
export type TracepointName = keyof typeof Tracepoint | `other(${number})`;

/** State of the connection. Numbers by name. */
export declare const TcpState: {
  readonly ESTABLISHED: 1;
  readonly SYN_SENT: 2;
  readonly SYN_RECV: 3;
  readonly FIN_WAIT1: 4;
  readonly FIN_WAIT2: 5;
  readonly TIME_WAIT: 6;
  readonly CLOSE: 7;
  readonly CLOSE_WAIT: 8;
  readonly LAST_ACK: 9;
  readonly LISTEN: 10;
  readonly CLOSING: 11;
  readonly NEW_SYN_RECV: 12;
};

/** State of the connection. A name, or `other(N)` for a number without one. */
export type TcpStateName = keyof typeof TcpState | `other(${number})`;

/** State of congestion control. Numbers by name. */
export declare const CaState: {
  readonly open: 0;
  readonly disorder: 1;
  readonly cwr: 2;
  readonly recovery: 3;
  readonly loss: 4;
};

/** State of congestion control. A name, or `other(N)` for a number without one. */
export type CaStateName = keyof typeof CaState | `other(${number})`;

/** The pending timer. Numbers by name. */
export declare const Timer: {
  readonly none: 0;
  readonly retransmit: 1;
  readonly delayed_ack: 2;
  readonly probe: 3;
  readonly early_retransmit: 4;
  readonly loss_probe: 5;
  readonly reordering: 6;
};

/** The pending timer. A name, or `other(N)` for a number without one. */
export type TimerName = keyof typeof Timer | `other(${number})`;

/** Status of a socket's owner. Numbers by name. */
export declare const OwnerStatus: {
  readonly unknown: 0;
  readonly held: 1;
  readonly orphaned: 2;
  readonly not_accepted: 3;
  readonly kernel: 4;
};

/** Status of a socket's owner. A name, or `other(N)` for a number without one. */
export type OwnerStatusName = keyof typeof OwnerStatus | `other(${number})`;

/**
 * Return value of the attempt to send: 0, a negative errno, or a positive verdict of the queueing
 * discipline. Numbers by name.
 */
export declare const SendError: {
  readonly none: 0;
  readonly NET_XMIT_DROP: 1;
  readonly NET_XMIT_CN: 2;
  readonly EPERM: -1;
  readonly EAGAIN: -11;
  readonly ENOMEM: -12;
  readonly EACCES: -13;
  readonly EBUSY: -16;
  readonly EINVAL: -22;
  readonly EMSGSIZE: -90;
  readonly EADDRNOTAVAIL: -99;
  readonly ENETDOWN: -100;
  readonly ENETUNREACH: -101;
  readonly ENOBUFS: -105;
  readonly EHOSTUNREACH: -113;
};

/**
 * Return value of the attempt to send: 0, a negative errno, or a positive verdict of the queueing
 * discipline. A name, or `error(N)` for a number without one.
 */
export type SendErrorName = keyof typeof SendError | `error(${number})`;

/** Flags of the segment's TCP header, as bits. Numbers by name. */
export declare const TcpFlags: {
  readonly FIN: 1;
  readonly SYN: 2;
  readonly RST: 4;
  readonly PSH: 8;
  readonly ACK: 16;
  readonly URG: 32;
  readonly ECE: 64;
  readonly CWR: 128;
  readonly AE: 256;
};

/** Names of flags, joined by `|`: `PSH|ACK`. */
export type TcpFlagsName = string;
