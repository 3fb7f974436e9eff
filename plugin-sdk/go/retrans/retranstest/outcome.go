package retranstest

import (
	"fmt"
	"reflect"

	"retrans"
)

// Outcome has the results of a plugin for a whole stream.
type Outcome struct {
	// Kept are the events that went on to the next plugin.
	Kept []Kept
	// Alerts are the alerts, each with the number of its event in the stream, from 0.
	Alerts []Alert
	// Lines are the lines for standard output, without their line feeds.
	Lines []string
	// Counts are the plugin's own counters.
	Counts map[string]uint64
	// Gauges are the last values of the plugin's own gauges.
	Gauges map[string]float64
	// Observed are the values of the plugin's own histograms, in their order.
	Observed map[string][]float64
	// Logs are the lines of the log, such as "warn: the file is empty".
	Logs []string
}

// Kept is an event that went on to the next plugin.
type Kept struct {
	// Record is the record, with the plugin's changes.
	Record []byte
	// Labels are those of the plugin, and those that the event had before.
	Labels map[string]string
}

// Event returns a view over the record.
func (k Kept) Event() *retrans.Event {
	return retrans.NewEvent(k.Record)
}

// Alert is an alert that the plugin raised or resolved.
type Alert struct {
	Name     string
	Severity retrans.Severity
	State    retrans.AlertState
	Summary  string
	Labels   map[string]string
	// Event is the number of the event that it is about, -1 without one.
	Event int
}

func (o *Outcome) add(effects *Outcome) {
	o.Alerts = append(o.Alerts, effects.Alerts...)
	o.Lines = append(o.Lines, effects.Lines...)
	for name, by := range effects.Counts {
		if o.Counts == nil {
			o.Counts = make(map[string]uint64)
		}
		o.Counts[name] += by
	}
	for name, value := range effects.Gauges {
		if o.Gauges == nil {
			o.Gauges = make(map[string]float64)
		}
		o.Gauges[name] = value
	}
	for name, values := range effects.Observed {
		if o.Observed == nil {
			o.Observed = make(map[string][]float64)
		}
		o.Observed[name] = append(o.Observed[name], values...)
	}
}

// difference describes the first difference of two runs, "" if there is none.
func difference(one, other *Outcome, oneErr, otherErr error) string {
	if oneErr != nil || otherErr != nil {
		if fmt.Sprint(oneErr) == fmt.Sprint(otherErr) {
			return ""
		}
		return fmt.Sprintf("their errors:\n  %v\n  %v", oneErr, otherErr)
	}
	these, those := reflect.ValueOf(*one), reflect.ValueOf(*other)
	for i := range these.NumField() {
		this, that := these.Field(i).Interface(), those.Field(i).Interface()
		if !reflect.DeepEqual(this, that) {
			return describe(these.Type().Field(i).Name, these.Field(i), those.Field(i))
		}
	}
	return ""
}

// describe shows the first element that differs, or the whole of two maps.
func describe(name string, this, that reflect.Value) string {
	if this.Kind() != reflect.Slice {
		return fmt.Sprintf("%s:\n  %v\n  %v", name, this, that)
	}
	at := func(list reflect.Value, i int) any {
		if i < list.Len() {
			return list.Index(i).Interface()
		}
		return "(none)"
	}
	i := 0
	for i < this.Len() && i < that.Len() && reflect.DeepEqual(at(this, i), at(that, i)) {
		i++
	}
	return fmt.Sprintf("%s[%d] (of %d and %d):\n  %v\n  %v", name, i, this.Len(), that.Len(), at(this, i), at(that, i))
}
