package retranstest

import (
	"encoding/binary"
	"net/netip"
	"time"

	"retrans"
)

// Record returns a record of a segment that was sent again to this peer, such as "192.0.2.1:443" or
// "[2001:db8::1]:443". The functions set further fields. It panics if the peer is not an address and a port.
//
// The record is one of a connection that is established, 1,000 s after boot, of kind fast.
func Record(peer string, set ...func(*retrans.Event)) []byte {
	to := netip.MustParseAddrPort(peer)
	record := make([]byte, retrans.RecordSize)
	e := retrans.NewEvent(record)
	local := netip.MustParseAddr("192.0.2.200")
	e.SetIPVersion(4)
	e.SetFamily(2)
	if !to.Addr().Unmap().Is4() {
		local = netip.MustParseAddr("2001:db8::200")
		e.SetIPVersion(6)
		e.SetFamily(10)
	}
	e.SetSize(retrans.RecordSize)
	e.SetLocalAddress(local)
	e.SetLocalPort(40000)
	e.SetPeerAddress(to.Addr())
	e.SetPeerPort(to.Port())
	e.SetTime(1000 * time.Second)
	e.SetWallTime(time.Date(2026, 1, 1, 0, 16, 40, 0, time.UTC))
	e.SetState(retrans.TCPStateEstablished)
	e.SetKind(retrans.KindFast)
	e.SetSent(true)
	e.SetSegments(1)
	for _, set := range set {
		set(e)
	}
	return record
}

// restore gives a changed record the fields of the host.
func restore(changed, original []byte) {
	copy(changed[:8], original[:8])
	copy(changed[16:48], original[16:48])
	binary.LittleEndian.PutUint32(changed, uint32(len(original)))
}
