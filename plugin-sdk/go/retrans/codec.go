package retrans

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// The functions below read and write the formats of fields. Each gets exactly the bytes of a field.

func getUint8(bytes []byte) uint8            { return bytes[0] }
func putUint8(bytes []byte, value uint8)     { bytes[0] = value }
func getUint16(bytes []byte) uint16          { return binary.LittleEndian.Uint16(bytes) }
func putUint16(bytes []byte, value uint16)   { binary.LittleEndian.PutUint16(bytes, value) }
func getUint32(bytes []byte) uint32          { return binary.LittleEndian.Uint32(bytes) }
func putUint32(bytes []byte, value uint32)   { binary.LittleEndian.PutUint32(bytes, value) }
func getUint64(bytes []byte) uint64          { return binary.LittleEndian.Uint64(bytes) }
func putUint64(bytes []byte, value uint64)   { binary.LittleEndian.PutUint64(bytes, value) }
func getBool(bytes []byte) bool              { return bytes[0] != 0 }
func getTCPFlags(bytes []byte) TCPFlags      { return TCPFlags(getUint16(bytes)) }
func putTCPFlags(bytes []byte, f TCPFlags)   { putUint16(bytes, uint16(f)) }
func getSendError(bytes []byte) SendError    { return SendError(getUint32(bytes)) }
func putSendError(bytes []byte, e SendError) { putUint32(bytes, uint32(e)) }

func putBool(bytes []byte, value bool) {
	bytes[0] = 0
	if value {
		bytes[0] = 1
	}
}

// Times have 64 bits without a sign, a time.Duration has one: the largest is 292 years.
func getNanos(bytes []byte) time.Duration {
	return time.Duration(getUint64(bytes) & math.MaxInt64)
}

func putNanos(bytes []byte, value time.Duration) {
	putUint64(bytes, uint64(max(value, 0)))
}

func getWallTime(bytes []byte) time.Time {
	return time.Unix(0, int64(getNanos(bytes))).UTC()
}

func putWallTime(bytes []byte, value time.Time) {
	putNanos(bytes, time.Duration(value.UnixNano()))
}

func getMicros(bytes []byte) time.Duration {
	return time.Duration(getUint32(bytes)) * time.Microsecond
}

// A time of more than 71 minutes is written as the largest one.
func putMicros(bytes []byte, value time.Duration) {
	putUint32(bytes, uint32(min(max(value.Microseconds(), 0), math.MaxUint32)))
}

// The record has IPv4 addresses in the form ::ffff:192.0.2.1.
func getAddress(bytes []byte) netip.Addr {
	if getUint64(bytes) == 0 && getUint32(bytes[8:]) == 0xffff_0000 {
		return netip.AddrFrom4([4]byte(bytes[12:16]))
	}
	return netip.AddrFrom16([16]byte(bytes))
}

func putAddress(bytes []byte, value netip.Addr) {
	address := value.WithZone("").As16()
	copy(bytes, address[:])
}
