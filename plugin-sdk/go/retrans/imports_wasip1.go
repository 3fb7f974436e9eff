package retrans

import (
	"unsafe"

	"retrans/internal/abi"
)

// The functions of interface host in plugin-sdk/wit/plugin.wit, lowered by hand: the arguments of each are flat, a
// list or a text is its address and its length. Some functions are left out, as their imports would be: layout
// and names, since fields never move and numbers keep their names, census and census-layout, since the host makes a
// census for plugins that import it.

//go:wasmimport retrans:plugin/host@0.1.0 lost
//go:noescape
func hostLost() uint64

//go:wasmimport retrans:plugin/host@0.1.0 labels
func hostLabels(to unsafe.Pointer)

//go:wasmimport retrans:plugin/host@0.1.0 run
func hostRun(to unsafe.Pointer)

//go:wasmimport retrans:plugin/host@0.1.0 change
//go:noescape
func hostChange(events unsafe.Pointer, count uint32, records unsafe.Pointer, size uint32)

//go:wasmimport retrans:plugin/host@0.1.0 annotate
//go:noescape
func hostAnnotate(key string, events unsafe.Pointer, eventCount uint32, ends unsafe.Pointer, endCount uint32,
	text unsafe.Pointer, size uint32)

//go:wasmimport retrans:plugin/host@0.1.0 emit
//go:noescape
func hostEmit(name string, severity, state uint32, summary string, labels unsafe.Pointer, labelCount uint32,
	hasEvent, event uint32)

//go:wasmimport retrans:plugin/host@0.1.0 write
//go:noescape
func hostWrite(lines unsafe.Pointer, size uint32)

//go:wasmimport retrans:plugin/host@0.1.0 count
//go:noescape
func hostCount(metric string, by uint64)

//go:wasmimport retrans:plugin/host@0.1.0 gauge
//go:noescape
func hostGauge(metric string, value float64)

//go:wasmimport retrans:plugin/host@0.1.0 observe
//go:noescape
func hostObserve(metric string, values unsafe.Pointer, count uint32)

//go:wasmimport retrans:plugin/host@0.1.0 log
//go:noescape
func hostLog(level uint32, message string)

// imports is the host of a component.
type imports struct{}

var _ Host = imports{}

// pair is a tuple of two texts in memory.
type pair struct{ key, value abi.List }

func (imports) Lost() uint64 { return hostLost() }

// Labels copies keys and texts, each text once for all events: the plugin may keep the values.
func (imports) Labels() []Column {
	type column struct{ key, events, ends, text abi.List }
	var columns []Column
	for _, c := range abi.Items[column](abi.Take(hostLabels)) {
		columns = append(columns, Column{
			Key:    c.key.Text(),
			Events: abi.Items[uint32](c.events),
			Ends:   abi.Items[uint32](c.ends),
			Text:   c.text.Text(),
		})
	}
	return columns
}

func (imports) Run() map[string]string {
	values := make(map[string]string)
	for _, p := range abi.Items[pair](abi.Take(hostRun)) {
		values[p.key.Text()] = p.value.Text()
	}
	return values
}

func (imports) Change(events []uint32, records []byte) {
	hostChange(start(events), uint32(len(events)), start(records), uint32(len(records)))
}

func (imports) Annotate(key string, events, ends []uint32, text []byte) {
	hostAnnotate(key, start(events), uint32(len(events)), start(ends), uint32(len(ends)), start(text), uint32(len(text)))
}

// loweredLabels is kept, because alerts come in bursts.
var loweredLabels []pair

func (imports) Emit(alert *Alert, event int) {
	loweredLabels = loweredLabels[:0]
	for _, label := range alert.Labels {
		loweredLabels = append(loweredLabels, pair{abi.TextOf(label.Key), abi.TextOf(label.Value)})
	}
	hasEvent := uint32(0)
	if event >= 0 {
		hasEvent = 1
	}
	// The contract's states are in the order of AlertState, its severities in that of Severity.
	hostEmit(alert.Name, uint32(alert.Severity), uint32(alert.State), alert.Summary, start(loweredLabels),
		uint32(len(loweredLabels)), hasEvent, uint32(max(event, 0)))
}

func (imports) Write(lines []byte) { hostWrite(start(lines), uint32(len(lines))) }

func (imports) Count(metric string, by uint64) { hostCount(metric, by) }

func (imports) Gauge(metric string, value float64) { hostGauge(metric, value) }

func (imports) Observe(metric string, values []float64) {
	hostObserve(metric, start(values), uint32(len(values)))
}

func (imports) Log(level Level, text string) { hostLog(uint32(level), text) }

func start[T any](items []T) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(items))
}
