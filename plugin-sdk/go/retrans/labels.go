package retrans

import (
	"slices"
	"strings"
)

// labels has the labels of one call's events, in columns: those of the host and earlier plugins, fetched at the first
// use, and those of this plugin. Both are in the order of their keys.
type labels struct {
	host      Host
	isFetched bool
	earlier   []Column
	own       []ownColumn
}

// Column is one label key with its values for some of a call's events. The value for event Events[i] is the part of
// Text from byte Ends[i-1] (0 for the first) to byte Ends[i].
type Column struct {
	Key    string
	Events []uint32
	Ends   []uint32
	Text   string
}

// Get returns the value for an event. Ends that are not consistent, as a host might give them, are as no value.
func (c *Column) Get(event uint32) (value string, ok bool) {
	position, isThere := slices.BinarySearch(c.Events, event)
	if !isThere || position >= len(c.Ends) {
		return "", false
	}
	start, end := uint32(0), c.Ends[position]
	if position > 0 {
		start = c.Ends[position-1]
	}
	if start > end || int(end) > len(c.Text) {
		return "", false
	}
	return c.Text[start:end], true
}

// ownColumn is a column that the plugin fills, event by event.
type ownColumn struct {
	key    string
	events []uint32
	ends   []uint32
	text   []byte
	// newest is the value of the last event.
	newest string
}

func (c *ownColumn) set(event uint32, value string) {
	if last := len(c.events) - 1; last >= 0 && c.events[last] == event {
		c.unset(event)
	}
	c.text = append(c.text, value...)
	c.events = append(c.events, event)
	c.ends = append(c.ends, uint32(len(c.text)))
	c.newest = value
}

// get returns the value for the event that was labelled last.
func (c *ownColumn) get(event uint32) (value string, ok bool) {
	if last := len(c.events) - 1; last >= 0 && c.events[last] == event {
		return c.newest, true
	}
	return "", false
}

func (c *ownColumn) unset(event uint32) {
	last := len(c.events) - 1
	if last < 0 || c.events[last] != event {
		return
	}
	start := uint32(0)
	if last > 0 {
		start = c.ends[last-1]
	}
	c.events, c.ends, c.text = c.events[:last], c.ends[:last], c.text[:start]
}

// begin clears the labels of the last call, and keeps the buffers of the keys that it used: generated keys must not
// accumulate.
func (l *labels) begin(host Host) {
	l.host, l.isFetched, l.earlier = host, false, nil
	if len(l.own) == 0 {
		return
	}
	l.own = slices.DeleteFunc(l.own, func(column ownColumn) bool { return len(column.events) == 0 })
	for i := range l.own {
		column := &l.own[i]
		column.events, column.ends, column.text = column.events[:0], column.ends[:0], column.text[:0]
		column.newest = ""
	}
}

func (l *labels) set(event uint32, key, value string) {
	for i := range l.own {
		if column := &l.own[i]; column.key == key {
			column.set(event, value)
			return
		}
	}
	place := 0
	for place < len(l.own) && l.own[place].key < key {
		place++
	}
	l.own = slices.Insert(l.own, place, ownColumn{key: key})
	l.own[place].set(event, value)
}

// unset removes this plugin's labels of an event that is dropped.
func (l *labels) unset(event uint32) {
	for i := range l.own {
		l.own[i].unset(event)
	}
}

func (l *labels) get(event uint32, key string) (value string, ok bool) {
	for i := range l.own {
		if column := &l.own[i]; column.key == key {
			if value, ok := column.get(event); ok {
				return value, true
			}
		}
	}
	l.fetch()
	for i := range l.earlier {
		if column := &l.earlier[i]; column.Key == key {
			return column.Get(event)
		}
	}
	return "", false
}

// each passes keys and values of one event in the order of the keys.
func (l *labels) each(event uint32, yield func(key, value string) bool) {
	l.fetch()
	earlier, own := l.earlier, l.own
	for len(earlier) > 0 || len(own) > 0 {
		isOwn := len(earlier) == 0 || len(own) > 0 && own[0].key <= earlier[0].Key
		var key, value string
		var ok bool
		if isOwn {
			key = own[0].key
			value, ok = own[0].get(event)
			if ok && len(earlier) > 0 && earlier[0].Key == key {
				earlier = earlier[1:]
			}
			own = own[1:]
		} else {
			key = earlier[0].Key
			value, ok = earlier[0].Get(event)
			earlier = earlier[1:]
		}
		if ok && !yield(key, value) {
			return
		}
	}
}

func (l *labels) fetch() {
	if l.isFetched || l.host == nil {
		return
	}
	l.isFetched = true
	l.earlier = l.host.Labels()
	slices.SortFunc(l.earlier, func(a, b Column) int { return strings.Compare(a.Key, b.Key) })
}

// commit passes the columns to the host.
func (l *labels) commit() {
	for i := range l.own {
		if column := &l.own[i]; len(column.events) > 0 {
			l.host.Annotate(column.key, column.events, column.ends, column.text)
		}
	}
}
