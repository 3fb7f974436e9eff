package sdktest

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"retrans"
	"retrans/retranstest"
)

func expect[T comparable](t *testing.T, what string, is, expected T) {
	t.Helper()
	if is != expected {
		t.Errorf("%s is %v, expected %v", what, is, expected)
	}
}

func TestFieldsAreWhereTheContractSays(t *testing.T) {
	record := make([]byte, retrans.RecordSize)
	binary.LittleEndian.PutUint64(record[24:], 1_000_000_235_000)
	binary.LittleEndian.PutUint16(record[82:], 443)
	copy(record[64:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1})
	record[86] = 4
	binary.LittleEndian.PutUint64(record[8:], 1<<17|1<<48|1<<0|1<<5)
	binary.LittleEndian.PutUint32(record[136:], 250_248)
	binary.LittleEndian.PutUint32(record[88:], 0xffffffff-112)
	binary.LittleEndian.PutUint16(record[108:], 0x18)
	copy(record[304:], "nginx\x00rest")
	event := retrans.NewEvent(record)
	expect(t, "the time", event.Time(), 1_000_000_235*time.Microsecond)
	expect(t, "the peer", event.Peer(), netip.MustParseAddrPort("192.0.2.1:443"))
	expect(t, "the kind", event.Kind(), retrans.KindTimeout)
	expect(t, "its name", event.Kind().String(), "timeout")
	rto, ok := event.RTO()
	expect(t, "the timeout", rto, 250_248*time.Microsecond)
	expect(t, "that it is known", ok, true)
	failure, _ := event.Error()
	expect(t, "the error", failure, retrans.SendErrorEHOSTUNREACH)
	expect(t, "its name", failure.String(), "EHOSTUNREACH")
	flags, _ := event.TCPFlags()
	expect(t, "the flags", flags.String(), "PSH|ACK")
	comm, _ := event.OwnerComm()
	expect(t, "the process", comm, "nginx")
	if _, ok := event.SRTT(); ok {
		t.Error("a field without its bit is known")
	}
}

func TestNumbersWithoutANameAreKept(t *testing.T) {
	expect(t, "the kind", retrans.Kind(99).String(), "other(99)")
	expect(t, "the error", retrans.SendError(-7).String(), "error(-7)")
	expect(t, "the flags", (retrans.FlagFIN | 0x8000).String(), "FIN")
	expect(t, "the state", retrans.TCPStateNewSynRecv.String(), "NEW_SYN_RECV")
}

func TestAFieldIsSetAndCleared(t *testing.T) {
	record := retranstest.Record("[2001:db8::1]:443")
	before := string(record)
	event := retrans.NewEvent(record)
	event.SetRTO(3 * time.Second)
	event.SetOwnerComm("postgres")
	event.SetInterface(7)
	index, ok := event.Interface()
	expect(t, "the interface", index, 7)
	expect(t, "that it is known", ok, true)
	event.ClearRTO()
	event.ClearOwnerComm()
	event.ClearInterface()
	expect(t, "the record", string(record), before)
}

func TestAShortRecordLacksItsLastFields(t *testing.T) {
	record := retranstest.Record("192.0.2.1:443", func(e *retrans.Event) {
		e.SetRTO(time.Second)
		e.SetOwnerComm("nginx")
	})[:310]
	event := retrans.NewEvent(record)
	if _, ok := event.RTO(); !ok {
		t.Error("a field within the record is unknown")
	}
	if name, ok := event.OwnerComm(); ok {
		t.Errorf("a field beyond the record is %q", name)
	}
	before := string(record)
	event.SetOwnerComm("other")
	event.ClearOwnerComm()
	expect(t, "the record", string(record), before)
}

func TestTextsAreUTF8(t *testing.T) {
	for bytes, expected := range map[string]string{
		"a\xffb":                  "a?b",
		"fifteen bytes..\xc3":     "fifteen bytes..",
		"sixteen bytes...":        "sixteen bytes...",
		"\xe2\x82":                "",
		"h\u00e9\x00\xff\xff\xff": "h\u00e9",
	} {
		record := retranstest.Record("192.0.2.1:443", func(e *retrans.Event) { e.SetLastComm("x") })
		clear(record[344:360])
		copy(record[344:360], bytes)
		for range 2 {
			comm, ok := retrans.NewEvent(record).LastComm()
			expect(t, "the text", comm, expected)
			expect(t, "that it is known", ok, true)
		}
	}
}

func TestValuesOutsideOfAFieldAreTheNearestOnes(t *testing.T) {
	event := retrans.NewEvent(retranstest.Record("192.0.2.1:443"))
	event.SetRTO(-time.Second)
	rto, _ := event.RTO()
	expect(t, "the timeout", rto, 0)
	event.SetRTO(100 * time.Hour)
	rto, _ = event.RTO()
	expect(t, "the timeout", rto, 4_294_967_295*time.Microsecond)
}
