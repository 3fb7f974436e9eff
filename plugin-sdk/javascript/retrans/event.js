// Generated from the table of fields by `cargo run -p sdk-generator`. Do not edit.

import { addressAt, at, change, flagsName, i32, nameOf, namesOf, textAt, u16, u64, u8 } from "./cursor.js";
import { BaseEvent } from "./base_event.js";
import { FIELDS } from "./fields.js";
import { TcpState, Kind, Tracepoint, SendError, TcpFlags, Timer, CaState, OwnerStatus } from "./names.js";

const TCP_STATE_NAMES = namesOf(TcpState);
const KIND_NAMES = namesOf(Kind);
const TRACEPOINT_NAMES = namesOf(Tracepoint);
const SEND_ERROR_NAMES = namesOf(SendError);
const TCP_FLAGS_NAMES = namesOf(TcpFlags);
const TIMER_NAMES = namesOf(Timer);
const CA_STATE_NAMES = namesOf(CaState);
const OWNER_STATUS_NAMES = namesOf(OwnerStatus);

/** The event at the cursor. Its accessors read the bytes of the record each time. */
export class Event extends BaseEvent {
  get wallTime() {
    return u64[(at + 32) >> 3];
  }

  get sequence() {
    return u64[(at + 16) >> 3];
  }

  get ipVersion() {
    return u8[at + 84];
  }
  set ipVersion(value) {
    change(FIELDS.ipVersion, value);
  }

  get state() {
    return nameOf(TCP_STATE_NAMES, u8[at + 85], "other");
  }
  set state(value) {
    change(FIELDS.state, value);
  }
  get stateNumber() {
    return u8[at + 85];
  }
  set stateNumber(value) {
    change(FIELDS.stateNumber, value);
  }

  get localAddress() {
    return addressAt(48);
  }
  set localAddress(value) {
    change(FIELDS.localAddress, value);
  }

  get localPort() {
    return u16[(at + 80) >> 1];
  }
  set localPort(value) {
    change(FIELDS.localPort, value);
  }

  get peerAddress() {
    return addressAt(64);
  }
  set peerAddress(value) {
    change(FIELDS.peerAddress, value);
  }

  get peerPort() {
    return u16[(at + 82) >> 1];
  }
  set peerPort(value) {
    change(FIELDS.peerPort, value);
  }

  get size() {
    return i32[(at + 0) >> 2] >>> 0;
  }

  get cpu() {
    return i32[(at + 4) >> 2] >>> 0;
  }

  get cpuSequence() {
    return u64[(at + 40) >> 3];
  }

  get time() {
    return u64[(at + 24) >> 3];
  }

  get kind() {
    return nameOf(KIND_NAMES, u8[at + 86], "other");
  }
  set kind(value) {
    change(FIELDS.kind, value);
  }
  get kindNumber() {
    return u8[at + 86];
  }
  set kindNumber(value) {
    change(FIELDS.kindNumber, value);
  }

  get tracepoint() {
    return nameOf(TRACEPOINT_NAMES, u8[at + 87], "other");
  }
  set tracepoint(value) {
    change(FIELDS.tracepoint, value);
  }
  get tracepointNumber() {
    return u8[at + 87];
  }
  set tracepointNumber(value) {
    change(FIELDS.tracepointNumber, value);
  }

  get sent() {
    return u8[at + 13] & 32 ? u8[at + 284] !== 0 : undefined;
  }
  set sent(value) {
    change(FIELDS.sent, value);
  }

  get error() {
    return u8[at + 8] & 1 ? nameOf(SEND_ERROR_NAMES, i32[(at + 88) >> 2], "error") : undefined;
  }
  set error(value) {
    change(FIELDS.error, value);
  }
  get errorNumber() {
    return u8[at + 8] & 1 ? i32[(at + 88) >> 2] : undefined;
  }
  set errorNumber(value) {
    change(FIELDS.errorNumber, value);
  }

  get segments() {
    return u8[at + 8] & 16 ? i32[(at + 104) >> 2] >>> 0 : undefined;
  }
  set segments(value) {
    change(FIELDS.segments, value);
  }

  get length() {
    return u8[at + 8] & 8 ? i32[(at + 100) >> 2] >>> 0 : undefined;
  }
  set length(value) {
    change(FIELDS.length, value);
  }

  get seq() {
    return u8[at + 8] & 2 ? i32[(at + 92) >> 2] >>> 0 : undefined;
  }
  set seq(value) {
    change(FIELDS.seq, value);
  }

  get endSeq() {
    return u8[at + 8] & 4 ? i32[(at + 96) >> 2] >>> 0 : undefined;
  }
  set endSeq(value) {
    change(FIELDS.endSeq, value);
  }

  get tcpFlags() {
    return u8[at + 8] & 32 ? flagsName(TCP_FLAGS_NAMES, u16[(at + 108) >> 1]) : undefined;
  }
  set tcpFlags(value) {
    change(FIELDS.tcpFlags, value);
  }
  get tcpFlagsNumber() {
    return u8[at + 8] & 32 ? u16[(at + 108) >> 1] : undefined;
  }
  set tcpFlagsNumber(value) {
    change(FIELDS.tcpFlagsNumber, value);
  }

  get fastOpen() {
    return u8[at + 13] & 64 ? u8[at + 285] !== 0 : undefined;
  }
  set fastOpen(value) {
    change(FIELDS.fastOpen, value);
  }

  get sacked() {
    return u8[at + 8] & 64 ? u8[at + 110] : undefined;
  }
  set sacked(value) {
    change(FIELDS.sacked, value);
  }

  get timer() {
    return u8[at + 9] & 1 ? nameOf(TIMER_NAMES, u8[at + 112], "other") : undefined;
  }
  set timer(value) {
    change(FIELDS.timer, value);
  }
  get timerNumber() {
    return u8[at + 9] & 1 ? u8[at + 112] : undefined;
  }
  set timerNumber(value) {
    change(FIELDS.timerNumber, value);
  }

  get timerExpired() {
    return u8[at + 15] & 2 ? u8[at + 287] !== 0 : undefined;
  }
  set timerExpired(value) {
    change(FIELDS.timerExpired, value);
  }

  get retransmits() {
    return u8[at + 9] & 2 ? u8[at + 113] : undefined;
  }
  set retransmits(value) {
    change(FIELDS.retransmits, value);
  }

  get backoff() {
    return u8[at + 9] & 4 ? u8[at + 114] : undefined;
  }
  set backoff(value) {
    change(FIELDS.backoff, value);
  }

  get tlpHighSeq() {
    return u8[at + 9] & 16 ? i32[(at + 116) >> 2] >>> 0 : undefined;
  }
  set tlpHighSeq(value) {
    change(FIELDS.tlpHighSeq, value);
  }

  get undoMarker() {
    return u8[at + 9] & 32 ? i32[(at + 120) >> 2] >>> 0 : undefined;
  }
  set undoMarker(value) {
    change(FIELDS.undoMarker, value);
  }

  get caState() {
    return u8[at + 8] & 128 ? nameOf(CA_STATE_NAMES, u8[at + 111], "other") : undefined;
  }
  set caState(value) {
    change(FIELDS.caState, value);
  }
  get caStateNumber() {
    return u8[at + 8] & 128 ? u8[at + 111] : undefined;
  }
  set caStateNumber(value) {
    change(FIELDS.caStateNumber, value);
  }

  get congestionControl() {
    return u8[at + 12] & 8 ? textAt(216) : undefined;
  }
  set congestionControl(value) {
    change(FIELDS.congestionControl, value);
  }

  get srtt() {
    return u8[at + 9] & 64 ? BigInt(i32[(at + 124) >> 2] >>> 0) * 1000n : undefined;
  }
  set srtt(value) {
    change(FIELDS.srtt, value);
  }

  get rttvar() {
    return u8[at + 9] & 128 ? BigInt(i32[(at + 128) >> 2] >>> 0) * 1000n : undefined;
  }
  set rttvar(value) {
    change(FIELDS.rttvar, value);
  }

  get minRtt() {
    return u8[at + 10] & 1 ? BigInt(i32[(at + 132) >> 2] >>> 0) * 1000n : undefined;
  }
  set minRtt(value) {
    change(FIELDS.minRtt, value);
  }

  get rto() {
    return u8[at + 10] & 2 ? BigInt(i32[(at + 136) >> 2] >>> 0) * 1000n : undefined;
  }
  set rto(value) {
    change(FIELDS.rto, value);
  }

  get cwnd() {
    return u8[at + 10] & 4 ? i32[(at + 140) >> 2] >>> 0 : undefined;
  }
  set cwnd(value) {
    change(FIELDS.cwnd, value);
  }

  get ssthresh() {
    return u8[at + 10] & 8 ? i32[(at + 144) >> 2] >>> 0 : undefined;
  }
  set ssthresh(value) {
    change(FIELDS.ssthresh, value);
  }

  get mss() {
    return u8[at + 10] & 16 ? i32[(at + 148) >> 2] >>> 0 : undefined;
  }
  set mss(value) {
    change(FIELDS.mss, value);
  }

  get packetsOut() {
    return u8[at + 10] & 32 ? i32[(at + 152) >> 2] >>> 0 : undefined;
  }
  set packetsOut(value) {
    change(FIELDS.packetsOut, value);
  }

  get lostOut() {
    return u8[at + 10] & 64 ? i32[(at + 156) >> 2] >>> 0 : undefined;
  }
  set lostOut(value) {
    change(FIELDS.lostOut, value);
  }

  get sackedOut() {
    return u8[at + 10] & 128 ? i32[(at + 160) >> 2] >>> 0 : undefined;
  }
  set sackedOut(value) {
    change(FIELDS.sackedOut, value);
  }

  get retransOut() {
    return u8[at + 11] & 1 ? i32[(at + 164) >> 2] >>> 0 : undefined;
  }
  set retransOut(value) {
    change(FIELDS.retransOut, value);
  }

  get sndUna() {
    return u8[at + 11] & 2 ? i32[(at + 168) >> 2] >>> 0 : undefined;
  }
  set sndUna(value) {
    change(FIELDS.sndUna, value);
  }

  get sndNxt() {
    return u8[at + 11] & 4 ? i32[(at + 172) >> 2] >>> 0 : undefined;
  }
  set sndNxt(value) {
    change(FIELDS.sndNxt, value);
  }

  get sndWnd() {
    return u8[at + 11] & 8 ? i32[(at + 176) >> 2] >>> 0 : undefined;
  }
  set sndWnd(value) {
    change(FIELDS.sndWnd, value);
  }

  get totalRetrans() {
    return u8[at + 11] & 16 ? i32[(at + 180) >> 2] >>> 0 : undefined;
  }
  set totalRetrans(value) {
    change(FIELDS.totalRetrans, value);
  }

  get dataSegsOut() {
    return u8[at + 11] & 32 ? i32[(at + 184) >> 2] >>> 0 : undefined;
  }
  set dataSegsOut(value) {
    change(FIELDS.dataSegsOut, value);
  }

  get delivered() {
    return u8[at + 11] & 64 ? i32[(at + 188) >> 2] >>> 0 : undefined;
  }
  set delivered(value) {
    change(FIELDS.delivered, value);
  }

  get dsackDups() {
    return u8[at + 11] & 128 ? i32[(at + 192) >> 2] >>> 0 : undefined;
  }
  set dsackDups(value) {
    change(FIELDS.dsackDups, value);
  }

  get reordSeen() {
    return u8[at + 12] & 1 ? i32[(at + 196) >> 2] >>> 0 : undefined;
  }
  set reordSeen(value) {
    change(FIELDS.reordSeen, value);
  }

  get bytesSent() {
    return u8[at + 12] & 2 ? u64[(at + 200) >> 3] : undefined;
  }
  set bytesSent(value) {
    change(FIELDS.bytesSent, value);
  }

  get bytesRetrans() {
    return u8[at + 12] & 4 ? u64[(at + 208) >> 3] : undefined;
  }
  set bytesRetrans(value) {
    change(FIELDS.bytesRetrans, value);
  }

  get netnsInode() {
    return u8[at + 12] & 16 ? i32[(at + 232) >> 2] >>> 0 : undefined;
  }
  set netnsInode(value) {
    change(FIELDS.netnsInode, value);
  }

  get netnsCookie() {
    return u8[at + 12] & 64 ? u64[(at + 240) >> 3] : undefined;
  }
  set netnsCookie(value) {
    change(FIELDS.netnsCookie, value);
  }

  get socketInode() {
    return u8[at + 13] & 8 ? u64[(at + 272) >> 3] : undefined;
  }
  set socketInode(value) {
    change(FIELDS.socketInode, value);
  }

  get socketCookie() {
    return u8[at + 13] & 4 ? u64[(at + 264) >> 3] : undefined;
  }
  set socketCookie(value) {
    change(FIELDS.socketCookie, value);
  }

  get family() {
    return u8[at + 9] & 8 ? u8[at + 115] : undefined;
  }
  set family(value) {
    change(FIELDS.family, value);
  }

  get uid() {
    return u8[at + 13] & 1 ? i32[(at + 256) >> 2] >>> 0 : undefined;
  }
  set uid(value) {
    change(FIELDS.uid, value);
  }

  get mark() {
    return u8[at + 12] & 32 ? i32[(at + 236) >> 2] >>> 0 : undefined;
  }
  set mark(value) {
    change(FIELDS.mark, value);
  }

  get interface() {
    return u8[at + 13] & 2 ? i32[(at + 260) >> 2] >>> 0 : undefined;
  }
  set interface(value) {
    change(FIELDS.interface, value);
  }

  get listenerInode() {
    return u8[at + 14] & 16 ? u64[(at + 288) >> 3] : undefined;
  }
  set listenerInode(value) {
    change(FIELDS.listenerInode, value);
  }

  get cgroupId() {
    return u8[at + 12] & 128 ? u64[(at + 248) >> 3] : undefined;
  }
  set cgroupId(value) {
    change(FIELDS.cgroupId, value);
  }

  get ownerStatus() {
    return u8[at + 13] & 128 ? nameOf(OWNER_STATUS_NAMES, u8[at + 286], "other") : undefined;
  }
  set ownerStatus(value) {
    change(FIELDS.ownerStatus, value);
  }
  get ownerStatusNumber() {
    return u8[at + 13] & 128 ? u8[at + 286] : undefined;
  }
  set ownerStatusNumber(value) {
    change(FIELDS.ownerStatusNumber, value);
  }

  get ownerPid() {
    return u8[at + 13] & 16 ? i32[(at + 280) >> 2] >>> 0 : undefined;
  }
  set ownerPid(value) {
    change(FIELDS.ownerPid, value);
  }

  get ownerComm() {
    return u8[at + 14] & 1 ? textAt(304) : undefined;
  }
  set ownerComm(value) {
    change(FIELDS.ownerComm, value);
  }

  get ownerUid() {
    return u8[at + 14] & 2 ? i32[(at + 296) >> 2] >>> 0 : undefined;
  }
  set ownerUid(value) {
    change(FIELDS.ownerUid, value);
  }

  get ownerHolders() {
    return u8[at + 14] & 4 ? i32[(at + 300) >> 2] >>> 0 : undefined;
  }
  set ownerHolders(value) {
    change(FIELDS.ownerHolders, value);
  }

  get ownerContainer() {
    return u8[at + 14] & 8 ? textAt(320) : undefined;
  }
  set ownerContainer(value) {
    change(FIELDS.ownerContainer, value);
  }

  get lastPid() {
    return u8[at + 14] & 32 ? i32[(at + 336) >> 2] >>> 0 : undefined;
  }
  set lastPid(value) {
    change(FIELDS.lastPid, value);
  }

  get lastComm() {
    return u8[at + 14] & 64 ? textAt(344) : undefined;
  }
  set lastComm(value) {
    change(FIELDS.lastComm, value);
  }

  get lastUid() {
    return u8[at + 14] & 128 ? i32[(at + 340) >> 2] >>> 0 : undefined;
  }
  set lastUid(value) {
    change(FIELDS.lastUid, value);
  }

  get lastContainer() {
    return u8[at + 15] & 1 ? textAt(360) : undefined;
  }
  set lastContainer(value) {
    change(FIELDS.lastContainer, value);
  }
}
