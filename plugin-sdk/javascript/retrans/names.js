// Generated from the table of fields by `cargo run -p sdk-generator`. Do not edit.

/** Cause of a retransmit. */
export const Kind = Object.freeze({
  unknown: 0,
  syn: 1,
  syn_ack: 2,
  tail_loss_probe: 3,
  timeout: 4,
  loss_recovery: 5,
  fast: 6,
});

/** The tracepoint that reported the event. */
export const Tracepoint = Object.freeze({
  tcp_retransmit_skb: 0,
  tcp_retransmit_synack: 1,
});

/** State of the connection. */
export const TcpState = Object.freeze({
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
  NEW_SYN_RECV: 12,
});

/** State of congestion control. */
export const CaState = Object.freeze({
  open: 0,
  disorder: 1,
  cwr: 2,
  recovery: 3,
  loss: 4,
});

/** The pending timer. */
export const Timer = Object.freeze({
  none: 0,
  retransmit: 1,
  delayed_ack: 2,
  probe: 3,
  early_retransmit: 4,
  loss_probe: 5,
  reordering: 6,
});

/** Status of a socket's owner. */
export const OwnerStatus = Object.freeze({
  unknown: 0,
  held: 1,
  orphaned: 2,
  not_accepted: 3,
  kernel: 4,
});

/**
 * Return value of the attempt to send: 0, a negative errno, or a positive verdict of the queueing
 * discipline.
 */
export const SendError = Object.freeze({
  none: 0,
  NET_XMIT_DROP: 1,
  NET_XMIT_CN: 2,
  EPERM: -1,
  EAGAIN: -11,
  ENOMEM: -12,
  EACCES: -13,
  EBUSY: -16,
  EINVAL: -22,
  EMSGSIZE: -90,
  EADDRNOTAVAIL: -99,
  ENETDOWN: -100,
  ENETUNREACH: -101,
  ENOBUFS: -105,
  EHOSTUNREACH: -113,
});

/** Flags of the segment's TCP header, as bits. */
export const TcpFlags = Object.freeze({
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ECE: 64,
  CWR: 128,
  AE: 256,
});
