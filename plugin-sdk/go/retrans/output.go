package retrans

import "math"

// Severity is the severity of an alert.
type Severity uint8

// Severities.
const (
	Info Severity = iota
	Warning
	Critical
)

// String returns the name of the severity.
func (s Severity) String() string {
	return [...]string{"info", "warning", "critical"}[min(s, Critical)]
}

// AlertState tells whether an alert starts or ends.
type AlertState uint8

// States of an alert.
const (
	Firing AlertState = iota
	Resolved
)

// String returns the name of the state.
func (s AlertState) String() string {
	return [...]string{"firing", "resolved"}[min(s, Resolved)]
}

// Label is a key and its value.
type Label struct {
	Key   string
	Value string
}

// Alert is a message for people about a condition that starts or ends. Name and labels identify it: raised again with
// the same ones it is the same alert, and it is resolved with the same ones.
type Alert struct {
	// Name of the condition, the same for every alert of that kind, such as "retransmit-burst".
	Name     string
	Severity Severity
	State    AlertState
	// Summary is one line of text for people.
	Summary string
	// Labels are the subject of the alert, each key once.
	Labels []Label
	// WithoutEvent raises the alert without the event that OnEvent was called with.
	WithoutEvent bool
}

// Output collects the alerts, lines and metrics of a call. They take effect when the call has succeeded.
type Output struct {
	// event is the number of the event that is being processed, -1 outside of OnEvent.
	event   int
	alerts  []raised
	labels  []Label
	lines   []byte
	metrics []metric
}

type raised struct {
	alert Alert
	event int
}

// metric is what the call says of a counter, a gauge or a histogram so far.
type metric struct {
	kind   metricKind
	isUsed bool
	name   string
	count  uint64
	gauge  float64
	values []float64
}

type metricKind uint8

const (
	counter metricKind = iota
	gauge
	histogram
)

// Alert raises or resolves an alert. In OnEvent it is about that event.
func (o *Output) Alert(alert Alert) {
	event := o.event
	if alert.WithoutEvent {
		event = -1
	}
	// A copy: the plugin may use its slice again.
	start := len(o.labels)
	o.labels = append(o.labels, alert.Labels...)
	alert.Labels = o.labels[start:len(o.labels):len(o.labels)]
	o.alerts = append(o.alerts, raised{alert, event})
}

// Line writes a line to the host's standard output. It adds the line feed, unless the text ends with one. Text with
// line feeds inside is several lines.
func (o *Output) Line(text string) {
	o.lines = append(o.lines, text...)
	o.endLine()
}

// LineBytes writes a line as [Output.Line] does.
func (o *Output) LineBytes(text []byte) {
	o.lines = append(o.lines, text...)
	o.endLine()
}

func (o *Output) endLine() {
	if last := len(o.lines) - 1; last < 0 || o.lines[last] != '\n' {
		o.lines = append(o.lines, '\n')
	}
}

// Count adds to one of the plugin's own counters. The name has 1 to 64 bytes, and no spaces.
func (o *Output) Count(name string, by uint64) {
	metric := o.metric(counter, name)
	metric.count += min(by, math.MaxUint64-metric.count)
	metric.isUsed = metric.count > 0
}

// Gauge sets one of the plugin's own gauges: the host shows the value that was set last. A value that is no finite
// number is left out.
func (o *Output) Gauge(name string, value float64) {
	if isFinite(value) {
		metric := o.metric(gauge, name)
		metric.gauge, metric.isUsed = value, true
	}
}

// Observe adds a value to one of the plugin's own histograms, whose buckets end at 1, 2 and 5 times each power of ten
// from 10^-6 to 10^6. A value that is no finite number is left out.
func (o *Output) Observe(name string, value float64) {
	if isFinite(value) {
		metric := o.metric(histogram, name)
		metric.values, metric.isUsed = append(metric.values, value), true
	}
}

func isFinite(value float64) bool {
	return !math.IsInf(value, 0) && !math.IsNaN(value)
}

func (o *Output) metric(kind metricKind, name string) *metric {
	for i := range o.metrics {
		if known := &o.metrics[i]; known.kind == kind && known.name == name {
			return known
		}
	}
	o.metrics = append(o.metrics, metric{kind: kind, name: name})
	return &o.metrics[len(o.metrics)-1]
}

// begin clears the effects of the last call, and keeps the buffers. Metrics that it did not use are removed: generated
// names must not accumulate.
func (o *Output) begin() {
	o.event = -1
	clear(o.alerts)
	clear(o.labels)
	o.alerts, o.labels, o.lines = o.alerts[:0], o.labels[:0], o.lines[:0]
	used := o.metrics[:0]
	for _, known := range o.metrics {
		if known.isUsed {
			used = append(used, metric{kind: known.kind, name: known.name, values: known.values[:0]})
		}
	}
	o.metrics = used
}

func (o *Output) commit(host Host) {
	for i := range o.alerts {
		host.Emit(&o.alerts[i].alert, o.alerts[i].event)
	}
	if len(o.lines) > 0 {
		host.Write(o.lines)
	}
	for i := range o.metrics {
		known := &o.metrics[i]
		switch {
		case !known.isUsed:
		case known.kind == counter:
			host.Count(known.name, known.count)
		case known.kind == gauge:
			host.Gauge(known.name, known.gauge)
		case known.kind == histogram:
			host.Observe(known.name, known.values)
		}
	}
}
