package retrans

import (
	"strconv"
	"time"
)

// Kept tells which of a call's events go on to the next plugin.
type Kept uint8

// Values of Kept.
const (
	KeptAll Kept = iota
	KeptNone
	// KeptBits means that there is one bit for each event, least significant bit first; 1 keeps the event.
	KeptBits
)

// Runner runs a plugin over the bytes of calls, as the host makes them. The exported functions of a component use it,
// and package retranstest.
type Runner struct {
	plugin  Plugin
	host    Host
	event   Event
	labels  labels
	output  Output
	changed []uint32
	kept    []byte
}

// NewRunner creates a plugin with settings from a JSON object.
func NewRunner(definition *Definition, host Host, settings string) (runner *Runner, err error) {
	defer recoverAs(&err, "configure")
	current = host
	plugin, err := definition.create(settings)
	if err != nil {
		return nil, err
	}
	return &Runner{plugin: plugin, host: host}, nil
}

// Process processes count records of size bytes each, which it uses as working memory. The bits are valid until the
// next call.
func (r *Runner) Process(count, size uint32, records []byte) (kept Kept, bits []byte, err error) {
	defer recoverAs(&err, "OnEvent")
	if size < coreSize || uint64(len(records)) != uint64(count)*uint64(size) {
		return KeptAll, nil, errorText("the host passed " + strconv.Itoa(len(records)) + " bytes as " +
			strconv.Itoa(int(count)) + " records of " + strconv.Itoa(int(size)) + " bytes")
	}
	if err := r.begin(); err != nil {
		return KeptAll, nil, err
	}
	dropped, err := r.passEvents(count, size, records)
	if err != nil {
		return KeptAll, nil, inMethod(err, "OnEvent")
	}
	r.returnChanged(int(size), records)
	r.labels.commit()
	r.output.commit(r.host)
	switch dropped {
	case 0:
		return KeptAll, nil, nil
	case count:
		return KeptNone, nil, nil
	}
	return KeptBits, r.kept, nil
}

// passEvents passes the events to the plugin, and returns how many it drops. A function of its own, because one with a
// deferred call keeps its variables in memory.
func (r *Runner) passEvents(count, size uint32, records []byte) (dropped uint32, err error) {
	plugin, event, output := r.plugin, &r.event, &r.output
	event.labels = &r.labels
	for number := range count {
		event.record, records = records[:size:size], records[size:]
		event.number, event.isChanged = number, false
		output.event = int(number)
		verdict, err := plugin.OnEvent(event, output)
		if err != nil {
			return 0, err
		}
		if verdict == Keep {
			if event.isChanged {
				r.changed = append(r.changed, number)
			}
			continue
		}
		if len(r.labels.own) > 0 {
			r.labels.unset(number)
		}
		if dropped == 0 {
			r.keepAll(count)
		}
		dropped++
		r.kept[number/8] &^= 1 << (number % 8)
	}
	return dropped, nil
}

// keepAll sets the bits of all events. By the contract, bits beyond the last event are 0.
func (r *Runner) keepAll(count uint32) {
	r.kept = r.kept[:0]
	for range count / 8 {
		r.kept = append(r.kept, 0xff)
	}
	if used := count % 8; used > 0 {
		r.kept = append(r.kept, 1<<used-1)
	}
}

// Tick passes the time to the plugin.
func (r *Runner) Tick(now time.Duration) (err error) {
	defer recoverAs(&err, "OnTick")
	if err := r.begin(); err != nil {
		return err
	}
	if ticker, ok := r.plugin.(Ticker); ok {
		if err := ticker.OnTick(now, &r.output); err != nil {
			return inMethod(err, "OnTick")
		}
	}
	r.output.commit(r.host)
	return nil
}

// Finish passes the end of the stream to the plugin.
func (r *Runner) Finish(now time.Duration) (err error) {
	defer recoverAs(&err, "OnFinish")
	if err := r.begin(); err != nil {
		return err
	}
	if finisher, ok := r.plugin.(Finisher); ok {
		if err := finisher.OnFinish(now, &r.output); err != nil {
			return inMethod(err, "OnFinish")
		}
	}
	r.output.commit(r.host)
	return nil
}

// Save returns the plugin's state; that of a plugin without state is empty.
func (r *Runner) Save() (version uint32, state []byte, err error) {
	defer recoverAs(&err, "Save")
	if stateful, ok := r.plugin.(Stateful); ok {
		version, state, err = stateful.Save()
	}
	return version, state, err
}

// Restore passes a saved state to the plugin.
func (r *Runner) Restore(version uint32, state []byte) (err error) {
	defer recoverAs(&err, "Restore")
	if stateful, ok := r.plugin.(Stateful); ok {
		return stateful.Restore(version, state)
	}
	return nil
}

// begin begins a call. It clears what an earlier call left, also one that failed.
func (r *Runner) begin() error {
	current = r.host
	r.labels.begin(r.host)
	r.output.begin()
	r.changed = r.changed[:0]
	lost := r.host.Lost()
	if handler, ok := r.plugin.(LossHandler); ok && lost > 0 {
		if err := handler.OnLost(lost, &r.output); err != nil {
			return inMethod(err, "OnLost")
		}
	}
	return nil
}

// returnChanged passes the changed records to the host, back to back.
func (r *Runner) returnChanged(size int, records []byte) {
	if len(r.changed) == 0 {
		return
	}
	// The numbers are ascending, so that no record is overwritten before it is moved.
	for place, number := range r.changed {
		copy(records[place*size:(place+1)*size], records[int(number)*size:])
	}
	r.host.Change(r.changed, records[:len(r.changed)*size])
}
