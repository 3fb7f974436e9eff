package retrans

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// StateWriter writes a state as bytes, which [StateReader] reads: numbers as varints, texts with their length. It is as
// small and fast as a format can be; encoding/json may be used as well, and adds 2 MB to the plugin.
type StateWriter struct {
	bytes []byte
}

// Bytes returns what was written.
func (w *StateWriter) Bytes() []byte {
	return w.bytes
}

// Uint writes a number.
func (w *StateWriter) Uint(value uint64) {
	w.bytes = binary.AppendUvarint(w.bytes, value)
}

// Int writes a number with a sign.
func (w *StateWriter) Int(value int64) {
	w.bytes = binary.AppendVarint(w.bytes, value)
}

// Float writes a number.
func (w *StateWriter) Float(value float64) {
	w.bytes = binary.LittleEndian.AppendUint64(w.bytes, math.Float64bits(value))
}

// Duration writes a duration or a time of the stream.
func (w *StateWriter) Duration(value time.Duration) {
	w.Int(int64(value))
}

// Text writes a text.
func (w *StateWriter) Text(value string) {
	w.Uint(uint64(len(value)))
	w.bytes = append(w.bytes, value...)
}

// Address writes an address.
func (w *StateWriter) Address(value netip.Addr) {
	address := value.WithZone("").As16()
	w.bytes = append(w.bytes, address[:]...)
}

// StateReader reads what [StateWriter] wrote, in the same order. After the last value, Close tells whether all of them
// were valid: the values of a state that is not are 0, or wrong.
type StateReader struct {
	bytes    []byte
	isBroken bool
}

// NewStateReader returns a reader of these bytes.
func NewStateReader(state []byte) *StateReader {
	return &StateReader{bytes: state}
}

// Uint reads a number.
func (r *StateReader) Uint() uint64 {
	value, size := binary.Uvarint(r.bytes)
	r.take(size, size <= 0)
	return value
}

// Int reads a number with a sign.
func (r *StateReader) Int() int64 {
	value, size := binary.Varint(r.bytes)
	r.take(size, size <= 0)
	return value
}

// Count reads the number of elements that follow. It is 0 if there cannot be as many, because each has at least a byte.
func (r *StateReader) Count() int {
	count := r.Uint()
	if count > uint64(len(r.bytes)) {
		r.take(0, true)
		return 0
	}
	return int(count)
}

// Float reads a number.
func (r *StateReader) Float() float64 {
	if bytes := r.take(8, false); bytes != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(bytes))
	}
	return 0
}

// Duration reads a duration or a time of the stream.
func (r *StateReader) Duration() time.Duration {
	return time.Duration(r.Int())
}

// Text reads a text.
func (r *StateReader) Text() string {
	return string(r.take(r.Count(), false))
}

// Address reads an address.
func (r *StateReader) Address() netip.Addr {
	if bytes := r.take(16, false); bytes != nil {
		return getAddress(bytes)
	}
	return netip.Addr{}
}

// take returns the next bytes; nil if there are not as many, or the value before was not valid.
func (r *StateReader) take(size int, isWrong bool) []byte {
	if isWrong || r.isBroken || size > len(r.bytes) {
		r.isBroken, r.bytes = true, nil
		return nil
	}
	taken := r.bytes[:size:size]
	r.bytes = r.bytes[size:]
	return taken
}

// Close returns an error if a value was not valid, or if bytes are left.
func (r *StateReader) Close() error {
	if r.isBroken || len(r.bytes) > 0 {
		return errorText("the state is not one that this version of the plugin has saved")
	}
	return nil
}
