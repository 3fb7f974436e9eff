// A plugin for retrans-host: it prints how many events of each kind there were, once in a period.
package main

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"retrans"
	"retrans/stateful"
)

type settings struct {
	Every time.Duration `retrans:"every" default:"10s" min:"1s" doc:"Time from one line to the next."`
}

type summary struct {
	every time.Duration
	// next is when the next line is due; 0 before the first tick.
	next time.Duration
	lost uint64
	// kinds has the number of events of each kind, by its number.
	kinds [256]uint64
}

func newSummary(s settings) (*summary, error) {
	return &summary{every: s.Every}, nil
}

func (s *summary) OnEvent(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
	s.kinds[event.Kind()]++
	return retrans.Keep, nil
}

func (s *summary) OnLost(count uint64, _ *retrans.Output) error {
	s.lost += count
	return nil
}

func (s *summary) OnTick(now time.Duration, out *retrans.Output) error {
	// A time too far ahead is that of an earlier boot: a replay may have several.
	if s.next == 0 || s.next > now+s.every {
		s.next = now + s.every
	}
	if now < s.next {
		return nil
	}
	s.print(now, out)
	periods := (now-s.next)/s.every + 1
	s.next += periods * s.every
	return nil
}

func (s *summary) OnFinish(now time.Duration, out *retrans.Output) error {
	s.print(now, out)
	return nil
}

// print prints what was counted since the last line, if there is anything.
func (s *summary) print(now time.Duration, out *retrans.Output) {
	var events uint64
	counts := make(map[string]uint64)
	for kind, count := range s.kinds {
		if count > 0 {
			counts[retrans.Kind(kind).String()] = count
			events += count
		}
	}
	if events == 0 && s.lost == 0 {
		return
	}
	line := []byte(`{"type":"kind_summary","boot_time_ns":`)
	line = strconv.AppendInt(line, int64(now), 10)
	line = append(line, `,"events":`...)
	line = strconv.AppendUint(line, events, 10)
	line = append(line, `,"lost":`...)
	line = strconv.AppendUint(line, s.lost, 10)
	line = append(line, `,"kinds":{`...)
	for i, kind := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			line = append(line, ',')
		}
		line = strconv.AppendQuote(line, kind)
		line = append(line, ':')
		line = strconv.AppendUint(line, counts[kind], 10)
	}
	out.LineBytes(append(line, "}}"...))
	out.Count("summaries", 1)
	s.lost, s.kinds = 0, [256]uint64{}
}

const stateVersion = 1

// Save writes what was counted, and when the next line is due.
func (s *summary) Save() (version uint32, state []byte, err error) {
	var writer retrans.StateWriter
	writer.Duration(s.next)
	writer.Uint(s.lost)
	for _, count := range s.kinds {
		writer.Uint(count)
	}
	return stateVersion, writer.Bytes(), nil
}

// Restore reads what Save has written.
func (s *summary) Restore(version uint32, state []byte) error {
	if version != stateVersion {
		return retrans.Errorf("a state of version %d; this plugin reads version %d", version, stateVersion)
	}
	reader := retrans.NewStateReader(state)
	s.next = reader.Duration()
	s.lost = reader.Uint()
	for kind := range s.kinds {
		s.kinds[kind] = reader.Uint()
	}
	return reader.Close()
}

var plugin = retrans.Define(retrans.About{
	Name:    "{{name}}",
	Version: "0.1.0",
	Summary: "{{summary}}",
}, newSummary)

func init() { stateful.Export(plugin) }

// main is never called: the host calls the exported functions.
func main() {}
