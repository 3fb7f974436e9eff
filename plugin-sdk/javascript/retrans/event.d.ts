// Generated from the table of fields by `cargo run -p sdk-generator`. Do not edit.

import type { IpAddress } from "./ip.js";
import type {
  KindName,
  TracepointName,
  TcpStateName,
  CaStateName,
  TimerName,
  OwnerStatusName,
  SendErrorName,
  TcpFlagsName,
} from "./names.js";

/** The fields of an event. A field that is unknown is `undefined`. Set it to `undefined` to make it so. */
export interface Fields {
  /**
   * Time of day of the retransmit, since 1970-01-01T00:00:00Z. In nanoseconds. Source: host:
   * boot_time_ns plus the offset between the clocks; Linux 5.8.
   */
  readonly wallTime: bigint;
  /** Position of the event in the host's stream, counted from 0. Source: host; Linux 5.8. */
  readonly sequence: bigint;
  /**
   * IP version of the connection, 4 or 6. An IPv4 connection of an IPv6 socket is 4. Source:
   * addresses of struct sock_common; Linux 5.8.
   */
  ipVersion: number;
  /** State of the connection. Source: sock_common.skc_state; Linux 5.8. */
  state: TcpStateName;
  /** The number of `state`. */
  stateNumber: number;
  /**
   * Local address: this machine's side, which retransmits. Source: sock_common.skc_rcv_saddr,
   * skc_v6_rcv_saddr; Linux 5.8.
   */
  get localAddress(): IpAddress;
  set localAddress(value: IpAddress | string);
  /** Local port. Source: sock_common.skc_num; Linux 5.8. */
  localPort: number;
  /** Address of the peer. Source: sock_common.skc_daddr, skc_v6_daddr; Linux 5.8. */
  get peerAddress(): IpAddress;
  set peerAddress(value: IpAddress | string);
  /** Port of the peer. Source: sock_common.skc_dport; Linux 5.8. */
  peerPort: number;
  /** Size of the record in bytes. Source: host; Linux 5.8. */
  readonly size: number;
  /** CPU on which the tracepoint ran. Source: bpf_get_smp_processor_id; Linux 5.8. */
  readonly cpu: number;
  /**
   * Number of the retransmit on its CPU, from 1, of those that the filters admit. Retransmits for
   * which the ring had no room have numbers too: a missing number is an event that was lost or
   * withheld. Source: probe; Linux 5.8.
   */
  readonly cpuSequence: bigint;
  /**
   * Time since boot, including suspended time. Events of different sockets may be out of order by
   * up to 100 ms, because an event may wait for its owner, by up to 1 s in a burst of new sockets,
   * and by more while the host is behind. In nanoseconds. Source: bpf_ktime_get_boot_ns; Linux 5.8.
   */
  readonly time: bigint;
  /** Cause of the retransmit. Source: host: from the evidence in the record; Linux 5.8. */
  kind: KindName;
  /** The number of `kind`. */
  kindNumber: number;
  /** Tracepoint that reported the retransmit. Source: probe; Linux 5.8. */
  tracepoint: TracepointName;
  /** The number of `tracepoint`. */
  tracepointNumber: number;
  /**
   * Whether the segment was sent. False if the attempt failed, or if the segment was dropped within
   * this host. Source: host: from the error; Linux 5.8.
   */
  sent: boolean | undefined;
  /**
   * Return value of the attempt: 0 when the segment was sent. Source: tracepoint argument err;
   * Linux 6.17.
   */
  error: SendErrorName | undefined;
  /** The number of `error`. */
  errorNumber: number | undefined;
  /**
   * Segments that the retransmit covers, as RetransSegs counts them: 0 for an attempt that failed
   * before it became a segment. Source: tcp_skb_cb.tcp_gso_segs; host: 0 for an attempt that was
   * not counted; Linux 5.8.
   */
  segments: number | undefined;
  /** Payload in bytes. Source: sk_buff.len; Linux 5.8. */
  length: number | undefined;
  /**
   * First sequence number of the segment. Source: tcp_skb_cb.seq, tcp_request_sock.snt_isn; Linux
   * 5.8.
   */
  seq: number | undefined;
  /**
   * Sequence number after the segment; SYN and FIN count as one each. Source: tcp_skb_cb.end_seq;
   * Linux 5.8.
   */
  endSeq: number | undefined;
  /** Flags of the TCP header. Source: tcp_skb_cb.tcp_flags; Linux 5.8. */
  tcpFlags: TcpFlagsName | undefined;
  /** The number of `tcpFlags`. */
  tcpFlagsNumber: number | undefined;
  /**
   * Whether this is the SYN-ACK of a TCP Fast Open connection, which may already carry data. Known
   * for SYN-ACKs only. Source: probe: the tracepoint's socket is not a listener; Linux 5.8.
   */
  fastOpen: boolean | undefined;
  /**
   * State of the segment at the sender, as TCPCB_* bits: 1 SACKed, 2 retransmitted, 4 lost, 128
   * ever retransmitted. On 5.10, on 6.1 and from 6.17 on, 128 includes this retransmit: the value
   * for a first tail loss probe is 128. On 6.12 to 6.16 it is 0. Source: tcp_skb_cb.sacked; Linux
   * 5.8.
   */
  sacked: number | undefined;
  /** Pending timer. Source: inet_connection_sock.icsk_pending; Linux 5.8. */
  timer: TimerName | undefined;
  /** The number of `timer`. */
  timerNumber: number | undefined;
  /**
   * Evidence: whether the pending timer of a loss probe has expired, as it has when its handler
   * sends the probe. Known where that timer is pending, on kernels that have the time in this
   * member. Source: inet_connection_sock.icsk_timeout; Linux 5.8.
   */
  timerExpired: boolean | undefined;
  /**
   * Consecutive timeouts without an answer, including this one. Source:
   * inet_connection_sock.icsk_retransmits, request_sock.num_retrans + 1; Linux 5.8.
   */
  retransmits: number | undefined;
  /**
   * Number of times that the timeout was doubled. Source: inet_connection_sock.icsk_backoff; Linux
   * 5.8.
   */
  backoff: number | undefined;
  /**
   * Evidence: snd_nxt when a tail loss probe was sent; 0 without a probe. Source:
   * tcp_sock.tlp_high_seq; Linux 5.8.
   */
  tlpHighSeq: number | undefined;
  /**
   * Evidence: the sequence number at which recovery began, if the kernel may undo it; else 0 (as
   * after a path MTU change). Source: tcp_sock.undo_marker; Linux 5.8.
   */
  undoMarker: number | undefined;
  /** State of congestion control. Source: inet_connection_sock.icsk_ca_state; Linux 5.8. */
  caState: CaStateName | undefined;
  /** The number of `caState`. */
  caStateNumber: number | undefined;
  /** Name of the congestion control algorithm. Source: tcp_congestion_ops.name; Linux 5.8. */
  congestionControl: string | undefined;
  /**
   * Smoothed round-trip time; absent before the first sample. In nanoseconds. Source:
   * tcp_sock.srtt_us >> 3; Linux 5.8.
   */
  srtt: bigint | undefined;
  /**
   * Mean deviation of the round-trip time, as `ss` shows it. In nanoseconds. Source:
   * tcp_sock.mdev_us >> 2; Linux 5.8.
   */
  rttvar: bigint | undefined;
  /**
   * Smallest round-trip time of the last five minutes (sysctl tcp_min_rtt_wlen). In nanoseconds.
   * Source: tcp_sock.rtt_min; Linux 5.8.
   */
  minRtt: bigint | undefined;
  /** Retransmission timeout. In nanoseconds. Source: inet_connection_sock.icsk_rto; Linux 5.8. */
  rto: bigint | undefined;
  /** Congestion window in segments. Source: tcp_sock.snd_cwnd; Linux 5.8. */
  cwnd: number | undefined;
  /**
   * Slow start threshold in segments; absent before the first loss. Source: tcp_sock.snd_ssthresh;
   * Linux 5.8.
   */
  ssthresh: number | undefined;
  /**
   * Maximum segment size in bytes, for sending. Source: tcp_sock.mss_cache, request_sock.mss; Linux
   * 5.8.
   */
  mss: number | undefined;
  /**
   * Segments in flight, including selectively acknowledged ones. Source: tcp_sock.packets_out;
   * Linux 5.8.
   */
  packetsOut: number | undefined;
  /** Segments in flight that the sender considers lost. Source: tcp_sock.lost_out; Linux 5.8. */
  lostOut: number | undefined;
  /** Segments in flight that were selectively acknowledged. Source: tcp_sock.sacked_out; Linux 5.8. */
  sackedOut: number | undefined;
  /**
   * Retransmitted segments in flight, not yet including this one. Source: tcp_sock.retrans_out;
   * Linux 5.8.
   */
  retransOut: number | undefined;
  /** First byte that is not acknowledged. Source: tcp_sock.snd_una; Linux 5.8. */
  sndUna: number | undefined;
  /** Next sequence number to send. Source: tcp_sock.snd_nxt; Linux 5.8. */
  sndNxt: number | undefined;
  /** The peer's receive window in bytes. Source: tcp_sock.snd_wnd; Linux 5.8. */
  sndWnd: number | undefined;
  /**
   * Segments that the connection has retransmitted, including this one (unless the attempt failed
   * before it was counted). Source: tcp_sock.total_retrans, request_sock.num_retrans + 1; Linux
   * 5.8.
   */
  totalRetrans: number | undefined;
  /**
   * Segments with data that were sent, including retransmitted ones. Source:
   * tcp_sock.data_segs_out; Linux 5.8.
   */
  dataSegsOut: number | undefined;
  /**
   * Segments that were delivered, including retransmitted ones. Source: tcp_sock.delivered; Linux
   * 5.8.
   */
  delivered: number | undefined;
  /**
   * Duplicates that the peer reported (DSACK): unnecessary retransmits. Source:
   * tcp_sock.dsack_dups; Linux 5.8.
   */
  dsackDups: number | undefined;
  /** Number of times that reordering was detected. Source: tcp_sock.reord_seen; Linux 5.8. */
  reordSeen: number | undefined;
  /** Payload bytes sent, including retransmitted ones. Source: tcp_sock.bytes_sent; Linux 5.8. */
  bytesSent: bigint | undefined;
  /**
   * Payload bytes retransmitted, including those of this segment. Source: tcp_sock.bytes_retrans;
   * Linux 5.8.
   */
  bytesRetrans: bigint | undefined;
  /** Inode of the network namespace, as in `ls -l /proc/PID/ns/net`. Source: net.ns.inum; Linux 5.8. */
  netnsInode: number | undefined;
  /** Cookie of the network namespace: never used twice. Source: net.net_cookie; Linux 5.12. */
  netnsCookie: bigint | undefined;
  /**
   * Inode of the socket, as in `ss -e` and `ls -l /proc/PID/fd`; absent once it is closed. Source:
   * socket_alloc.vfs_inode.i_ino; Linux 5.8.
   */
  socketInode: bigint | undefined;
  /**
   * Cookie of the socket, as in `ss -e`: never used twice, and kept when the socket is closed.
   * Before 5.12, and through the classic tracepoint, known only if another program has asked the
   * kernel for it. Source: sock_common.skc_cookie; Linux 5.8.
   */
  socketCookie: bigint | undefined;
  /**
   * Address family of the socket: 2 is AF_INET, 10 is AF_INET6. Source: sock_common.skc_family;
   * Linux 5.8.
   */
  family: number | undefined;
  /**
   * User that created the socket (for a SYN-ACK, the listener), as numbered outside of user
   * namespaces. Source: sock.sk_uid; Linux 5.8.
   */
  uid: number | undefined;
  /** Mark of the socket (SO_MARK). Source: sock.sk_mark, inet_request_sock.ir_mark; Linux 5.8. */
  mark: number | undefined;
  /**
   * Index of the interface that the socket is bound to; absent if it is not bound. Source:
   * sock_common.skc_bound_dev_if; Linux 5.8.
   */
  interface: number | undefined;
  /**
   * Inode of the listening socket, for a connection that was not accepted yet. Known for SYN-ACKs
   * only. Source: request_sock.rsk_listener, its inode; Linux 5.8.
   */
  listenerInode: bigint | undefined;
  /**
   * Control group (version 2) of the socket (for a SYN-ACK, the listener): the inode of its
   * directory. Debian's 5.10 has it as well. Source: sock.sk_cgrp_data; Linux 5.15.
   */
  cgroupId: bigint | undefined;
  /**
   * Status of the owner: whether a process was found that holds the socket, or why there is none.
   * Source: sock.sk_socket, socket.file, SOCK_DEAD; host: scan of open files; Linux 5.8.
   */
  ownerStatus: OwnerStatusName | undefined;
  /** The number of `ownerStatus`. */
  ownerStatusNumber: number | undefined;
  /**
   * Owning process: the one that holds the socket or, for a connection that was not accepted yet,
   * the listening socket. Of several processes, the one that an earlier event named, else the
   * ancestor of all the others, else the lowest number. Source: host:
   * task_struct.group_leader.thread_pid, in the host's pid namespace; Linux 5.8.
   */
  ownerPid: number | undefined;
  /** Name of the owning process. Source: host: task_struct.comm of the main thread; Linux 5.8. */
  ownerComm: string | undefined;
  /**
   * Effective user of the owning process, as numbered outside of user namespaces. Source: host:
   * task_struct.real_cred.euid; Linux 5.8.
   */
  ownerUid: number | undefined;
  /**
   * Number of processes that held the socket when open files were scanned. Source: host: scan of
   * open files; Linux 5.8.
   */
  ownerHolders: number | undefined;
  /**
   * Container of the owning process: the first 12 digits of its id, as `docker ps` shows it, or the
   * beginning of its name. Source: host: /proc/PID/cgroup; Linux 5.8.
   */
  ownerContainer: string | undefined;
  /**
   * Last holder: the process that was last seen to hold a socket that is closed now, found by the
   * socket's cookie. Through the classic tracepoint, as before 5.12, known only if another program
   * has asked the kernel for the cookie. Source: host: an earlier event of the same socket cookie;
   * Linux 5.12.
   */
  lastPid: number | undefined;
  /** Name of the last holder. Source: host: as last_pid; Linux 5.12. */
  lastComm: string | undefined;
  /**
   * Effective user of the last holder, as numbered outside of user namespaces. Source: host: as
   * last_pid; Linux 5.12.
   */
  lastUid: number | undefined;
  /** Container of the last holder: as `owner.container`. Source: host: as last_pid; Linux 5.12. */
  lastContainer: string | undefined;
}

/** Values of fields, by which a test makes an event. Times and durations may be text, such as "3s". */
export interface FieldValues {
  wallTime?: bigint | string;
  sequence?: bigint;
  ipVersion?: number;
  state?: TcpStateName;
  stateNumber?: number;
  localAddress?: IpAddress | string;
  localPort?: number;
  peerAddress?: IpAddress | string;
  peerPort?: number;
  size?: number;
  cpu?: number;
  cpuSequence?: bigint;
  time?: bigint | string;
  kind?: KindName;
  kindNumber?: number;
  tracepoint?: TracepointName;
  tracepointNumber?: number;
  sent?: boolean;
  error?: SendErrorName;
  errorNumber?: number;
  segments?: number;
  length?: number;
  seq?: number;
  endSeq?: number;
  tcpFlags?: TcpFlagsName;
  tcpFlagsNumber?: number;
  fastOpen?: boolean;
  sacked?: number;
  timer?: TimerName;
  timerNumber?: number;
  timerExpired?: boolean;
  retransmits?: number;
  backoff?: number;
  tlpHighSeq?: number;
  undoMarker?: number;
  caState?: CaStateName;
  caStateNumber?: number;
  congestionControl?: string;
  srtt?: bigint | string;
  rttvar?: bigint | string;
  minRtt?: bigint | string;
  rto?: bigint | string;
  cwnd?: number;
  ssthresh?: number;
  mss?: number;
  packetsOut?: number;
  lostOut?: number;
  sackedOut?: number;
  retransOut?: number;
  sndUna?: number;
  sndNxt?: number;
  sndWnd?: number;
  totalRetrans?: number;
  dataSegsOut?: number;
  delivered?: number;
  dsackDups?: number;
  reordSeen?: number;
  bytesSent?: bigint;
  bytesRetrans?: bigint;
  netnsInode?: number;
  netnsCookie?: bigint;
  socketInode?: bigint;
  socketCookie?: bigint;
  family?: number;
  uid?: number;
  mark?: number;
  interface?: number;
  listenerInode?: bigint;
  cgroupId?: bigint;
  ownerStatus?: OwnerStatusName;
  ownerStatusNumber?: number;
  ownerPid?: number;
  ownerComm?: string;
  ownerUid?: number;
  ownerHolders?: number;
  ownerContainer?: string;
  lastPid?: number;
  lastComm?: string;
  lastUid?: number;
  lastContainer?: string;
}
