package retranstest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"retrans"
)

// host records the effects of calls.
type host struct {
	lost    uint64
	events  []Kept
	effects Outcome
	refused string
	outcome *Outcome
}

var _ retrans.Host = (*host)(nil)

// begin begins a call with these events.
func (h *host) begin(batch []*event) {
	h.events, h.effects, h.refused = nil, Outcome{}, ""
	for _, e := range batch {
		labels := maps.Clone(e.labels)
		if labels == nil {
			labels = make(map[string]string)
		}
		h.events = append(h.events, Kept{Record: bytes.Clone(e.record), Labels: labels})
	}
}

// commit adds the effects of a call that succeeded. Events are counted through the whole stream.
func (h *host) commit(passed int) error {
	if h.refused != "" {
		return fmt.Errorf("the host would refuse this: %s", h.refused)
	}
	h.lost = 0
	for i := range h.effects.Alerts {
		if alert := &h.effects.Alerts[i]; alert.Event >= 0 {
			alert.Event += passed
		}
	}
	h.outcome.add(&h.effects)
	return nil
}

func (h *host) Lost() uint64 { return h.lost }

func (h *host) Run() map[string]string {
	return map[string]string{"host": "test", "kernel": "6.12.0", "source": "replay", "version": "0.0.0"}
}

func (h *host) Labels() []retrans.Column {
	columns := make(map[string]*retrans.Column)
	for number, e := range h.events {
		for key, value := range e.Labels {
			column := columns[key]
			if column == nil {
				column = &retrans.Column{Key: key}
				columns[key] = column
			}
			column.Text += value
			column.Events = append(column.Events, uint32(number))
			column.Ends = append(column.Ends, uint32(len(column.Text)))
		}
	}
	var list []retrans.Column
	for _, key := range slices.Sorted(maps.Keys(columns)) {
		list = append(list, *columns[key])
	}
	return list
}

func (h *host) Change(events []uint32, records []byte) {
	size := len(records) / len(events)
	for i, number := range events {
		original := h.events[number].Record
		changed := bytes.Clone(records[i*size:][:len(original)])
		restore(changed, original)
		h.events[number].Record = changed
	}
}

func (h *host) Annotate(key string, events, ends []uint32, text []byte) {
	h.refuseIf(key == "", "a label has an empty key")
	column := retrans.Column{Key: key, Events: events, Ends: ends, Text: string(text)}
	for _, number := range events {
		if value, ok := column.Get(number); ok {
			h.events[number].Labels[key] = value
		}
	}
}

func (h *host) Emit(alert *retrans.Alert, event int) {
	h.refuseIf(alert.Name == "", "an alert has no name")
	labels := make(map[string]string)
	for _, label := range alert.Labels {
		labels[label.Key] = label.Value
	}
	h.effects.Alerts = append(h.effects.Alerts, Alert{
		Name: alert.Name, Severity: alert.Severity, State: alert.State, Summary: alert.Summary, Labels: labels, Event: event,
	})
}

func (h *host) Write(lines []byte) {
	text := strings.TrimSuffix(string(lines), "\n")
	h.effects.Lines = append(h.effects.Lines, strings.Split(text, "\n")...)
}

func (h *host) Count(metric string, by uint64) {
	h.checkName(metric)
	if h.effects.Counts == nil {
		h.effects.Counts = make(map[string]uint64)
	}
	h.effects.Counts[metric] += by
}

func (h *host) Gauge(metric string, value float64) {
	h.checkName(metric)
	if h.effects.Gauges == nil {
		h.effects.Gauges = make(map[string]float64)
	}
	h.effects.Gauges[metric] = value
}

func (h *host) Observe(metric string, values []float64) {
	h.checkName(metric)
	if h.effects.Observed == nil {
		h.effects.Observed = make(map[string][]float64)
	}
	h.effects.Observed[metric] = slices.Clone(values)
}

// Log writes at once: the host also writes what a call logged that fails.
func (h *host) Log(level retrans.Level, text string) {
	h.outcome.Logs = append(h.outcome.Logs, level.String()+": "+text)
}

func (h *host) checkName(metric string) {
	isOdd := func(char rune) bool { return unicode.IsSpace(char) || unicode.IsControl(char) }
	h.refuseIf(metric == "" || len(metric) > 64 || strings.ContainsFunc(metric, isOdd),
		"the name of a counter, gauge or histogram has from 1 to 64 bytes, and no spaces")
}

func (h *host) refuseIf(condition bool, why string) {
	if condition {
		h.refused = why
	}
}
