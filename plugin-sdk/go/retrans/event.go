package retrans

import (
	"iter"
	"net/netip"
)

// coreSize is the size of the part that every record has: the fields without a presence bit.
const coreSize = 88

// Event is one retransmit: a view over the bytes of its record, and its labels. It is valid until OnEvent returns; what
// its methods return stays valid.
//
// A field that may be unknown has a second result, which tells whether it is known. The next plugin sees the changes
// that setters make; size, CPU, sequences and times belong to the host, which restores them.
type Event struct {
	record    []byte
	number    uint32
	isChanged bool
	labels    *labels
}

// Peer returns address and port of the peer.
func (e *Event) Peer() netip.AddrPort {
	return netip.AddrPortFrom(e.PeerAddress(), e.PeerPort())
}

// Local returns address and port of this machine's side, which retransmits.
func (e *Event) Local() netip.AddrPort {
	return netip.AddrPortFrom(e.LocalAddress(), e.LocalPort())
}

// Record returns the bytes of the record, including fields of newer versions: docs/events.md describes them. They are
// valid until OnEvent returns, and must not be changed.
func (e *Event) Record() []byte {
	return e.record
}

// Label returns the label with this key, set by this plugin, an earlier one or the host.
func (e *Event) Label(key string) (value string, ok bool) {
	return e.labels.get(e.number, key)
}

// Labels returns keys and values of all labels, in the order of the keys.
func (e *Event) Labels() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		e.labels.each(e.number, yield)
	}
}

// SetLabel sets a label. It replaces a label with the same key, also one of an earlier plugin. A batch has room for 256
// keys, and 128 KiB of keys and values.
func (e *Event) SetLabel(key, value string) {
	e.labels.set(e.number, key, value)
}

// has returns whether the presence bit is set, and the record has the bytes that the field needs.
func (e *Event) has(bit, needed int) bool {
	return len(e.record) >= needed && e.record[bit/8]>>(bit%8)&1 != 0
}

// add sets the presence bit of a field that is about to be written. It returns false if the record is too short.
func (e *Event) add(bit, needed int) bool {
	if len(e.record) < needed {
		return false
	}
	e.isChanged = true
	e.record[bit/8] |= 1 << (bit % 8)
	return true
}

// remove clears the presence bit and the bytes of a field.
func (e *Event) remove(bit, start, end, needed int) {
	if len(e.record) < needed {
		return
	}
	e.isChanged = true
	e.record[bit/8] &^= 1 << (bit % 8)
	clear(e.record[start:end])
}

// NewEvent returns an event over the bytes of a record, without labels: for tests and tools. The bytes must be at least
// the 88 that every record has.
func NewEvent(record []byte) *Event {
	_ = record[coreSize-1]
	return &Event{record: record, labels: new(labels)}
}
