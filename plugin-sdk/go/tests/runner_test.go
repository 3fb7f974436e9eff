package sdktest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"retrans"
	"retrans/log"
	"retrans/retranstest"
)

// plugin is a plugin of functions; those that are nil do nothing.
type plugin struct {
	onEvent func(event *retrans.Event, out *retrans.Output) (retrans.Verdict, error)
	onTick  func(now time.Duration, out *retrans.Output) error
	onLost  func(count uint64, out *retrans.Output) error
}

func (p *plugin) OnEvent(event *retrans.Event, out *retrans.Output) (retrans.Verdict, error) {
	if p.onEvent == nil {
		return retrans.Keep, nil
	}
	return p.onEvent(event, out)
}

func (p *plugin) OnTick(now time.Duration, out *retrans.Output) error {
	if p.onTick == nil {
		return nil
	}
	return p.onTick(now, out)
}

func (p *plugin) OnLost(count uint64, out *retrans.Output) error {
	if p.onLost == nil {
		return nil
	}
	return p.onLost(count, out)
}

// define defines a plugin, of which each instance is made anew.
func define(create func() *plugin) *retrans.Definition {
	return retrans.Define(retrans.About{Name: "test"}, func(struct{}) (*plugin, error) { return create(), nil })
}

// records returns records of peers with the ports from 0 on.
func records(count int) [][]byte {
	var records [][]byte
	for port := range count {
		records = append(records, retranstest.Record(fmt.Sprintf("192.0.2.1:%d", port)))
	}
	return records
}

func TestTheBitsOfKeptEvents(t *testing.T) {
	for _, count := range []int{1, 7, 8, 9, 256} {
		for name, keeps := range map[string]func(uint16) bool{
			"all":   func(uint16) bool { return true },
			"none":  func(uint16) bool { return false },
			"even":  func(port uint16) bool { return port%2 == 0 },
			"last":  func(port uint16) bool { return int(port) == count-1 },
			"first": func(port uint16) bool { return port > 0 },
		} {
			outcome := retranstest.Run(t, define(func() *plugin {
				return &plugin{onEvent: func(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
					return retrans.KeepIf(keeps(event.PeerPort())), nil
				}}
			}), nil, retranstest.Events(records(count)...))
			var kept, expected []uint16
			for _, k := range outcome.Kept {
				kept = append(kept, k.Event().PeerPort())
			}
			for port := range count {
				if keeps(uint16(port)) {
					expected = append(expected, uint16(port))
				}
			}
			if !slices.Equal(kept, expected) {
				t.Errorf("%s of %d: %v were kept", name, count, kept)
			}
		}
	}
}

func TestChangesOfKeptEventsReachTheHost(t *testing.T) {
	outcome := retranstest.Run(t, define(func() *plugin {
		return &plugin{onEvent: func(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
			port := event.PeerPort()
			if port%3 != 0 {
				event.SetMark(uint32(port))
				event.SetTime(0)
			}
			return retrans.KeepIf(port%5 != 0), nil
		}}
	}), nil, retranstest.Events(records(40)...))
	expect(t, "the number of kept events", len(outcome.Kept), 32)
	for _, kept := range outcome.Kept {
		event := kept.Event()
		mark, ok := event.Mark()
		expect(t, "that the mark is known", ok, event.PeerPort()%3 != 0)
		if ok {
			expect(t, "the mark", mark, uint32(event.PeerPort()))
		}
		expect(t, "the time, which belongs to the host,", event.Time(), 1000*time.Second)
	}
}

func TestLabels(t *testing.T) {
	outcome := retranstest.Run(t, define(func() *plugin {
		return &plugin{onEvent: func(event *retrans.Event, out *retrans.Output) (retrans.Verdict, error) {
			if value, ok := event.Label("own"); ok {
				return retrans.Drop, fmt.Errorf("the label of another event is seen: %s", value)
			}
			event.SetLabel("own", "first")
			event.SetLabel("own", "second")
			event.SetLabel("earlier", "replaced")
			event.SetLabel("z", "")
			var all []string
			for key, value := range event.Labels() {
				all = append(all, key+"="+value)
			}
			out.Line(strings.Join(all, " "))
			return retrans.KeepIf(event.PeerPort() != 2), nil
		}}
	}), nil,
		retranstest.Events(records(3)...),
		retranstest.Event(records(4)[3], "earlier", "before", "k8s", "pod"),
	)
	expect(t, "the lines", strings.Join(outcome.Lines, "\n"),
		strings.Repeat("earlier=replaced own=second z=\n", 3)+"earlier=replaced k8s=pod own=second z=")
	expect(t, "the number of kept events", len(outcome.Kept), 3)
	expected := map[string]string{"earlier": "replaced", "own": "second", "z": "", "k8s": "pod"}
	if last := outcome.Kept[2].Labels; !maps.Equal(last, expected) {
		t.Errorf("the labels are %v", last)
	}
}

func TestOutput(t *testing.T) {
	outcome := retranstest.Run(t, define(func() *plugin {
		return &plugin{
			onEvent: func(event *retrans.Event, out *retrans.Output) (retrans.Verdict, error) {
				labels := []retrans.Label{{Key: "port", Value: fmt.Sprint(event.PeerPort())}}
				out.Alert(retrans.Alert{Name: "with", Severity: retrans.Critical, Labels: labels})
				out.Alert(retrans.Alert{Name: "without", WithoutEvent: true})
				// The alert has a copy.
				labels[0].Value = "changed"
				out.Count("events", 1)
				out.Gauge("port", float64(event.PeerPort()))
				out.Observe("ports", float64(event.PeerPort()))
				return retrans.Keep, nil
			},
			onLost: func(count uint64, out *retrans.Output) error {
				out.Line(fmt.Sprintf("%d lost", count))
				return nil
			},
			onTick: func(now time.Duration, out *retrans.Output) error {
				out.LineBytes([]byte("two\nlines\n"))
				log.Warnf("at %v", now)
				return nil
			},
		}
	}), nil, retranstest.Events(records(2)...), retranstest.Lost(5), retranstest.Lost(2), retranstest.Tick(time.Hour))
	expect(t, "the lines", strings.Join(outcome.Lines, "|"), "7 lost|two|lines")
	expect(t, "the log", strings.Join(outcome.Logs, "|"), "warn: at 1h0m0s")
	expect(t, "the counter", outcome.Counts["events"], 2)
	expect(t, "the gauge", outcome.Gauges["port"], 1)
	expect(t, "the histogram", fmt.Sprint(outcome.Observed["ports"]), "[0 1]")
	expect(t, "the alerts", fmt.Sprint(outcome.Alerts), "[{with critical firing  map[port:0] 0} "+
		"{without info firing  map[] -1} {with critical firing  map[port:1] 1} {without info firing  map[] -1}]")
}

func TestFaultsHaveTheirPlace(t *testing.T) {
	for expected, onEvent := range map[string]func() (retrans.Verdict, error){
		"panic: assignment to entry in nil map (runner_test.go:": func() (retrans.Verdict, error) {
			var none map[string]int
			none["x"] = 1
			return retrans.Keep, nil
		},
		"panic: strings: negative Repeat count (": func() (retrans.Verdict, error) {
			return retrans.KeepIf(strings.Repeat("x", -len(t.Name())) == ""), nil
		},
		"bad port (runner_test.go:": func() (retrans.Verdict, error) {
			return retrans.Drop, retrans.Errorf("bad %s", "port")
		},
		"plain (in OnEvent)": func() (retrans.Verdict, error) { return retrans.Drop, errors.New("plain") },
	} {
		_, err := retranstest.Play(define(func() *plugin {
			return &plugin{onEvent: func(*retrans.Event, *retrans.Output) (retrans.Verdict, error) { return onEvent() }}
		}), nil, retranstest.Events(records(1)...))
		if err == nil || !strings.HasPrefix(err.Error(), expected) || !strings.HasSuffix(err.Error(), "in OnEvent)") {
			t.Errorf("the error is %v, expected %s", err, expected)
		}
	}
}

func TestResultsThatDependOnTheBatchAreFound(t *testing.T) {
	var calls uint64
	_, err := retranstest.Play(define(func() *plugin {
		return &plugin{onEvent: func(_ *retrans.Event, out *retrans.Output) (retrans.Verdict, error) {
			calls++
			out.Line(fmt.Sprint(calls))
			return retrans.Keep, nil
		}}
	}), nil, retranstest.Events(records(20)...))
	if err == nil || !strings.Contains(err.Error(), "depend on how the stream is divided into calls") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheRunIsKnown(t *testing.T) {
	retranstest.Run(t, define(func() *plugin {
		return &plugin{onTick: func(time.Duration, *retrans.Output) error {
			run := retrans.CurrentRun()
			host, _ := run.Host()
			isLive, ok := run.IsLive()
			if host != "test" || isLive || !ok {
				return fmt.Errorf("the run is %v", run)
			}
			return nil
		}}
	}), nil, retranstest.Tick(time.Hour))
}
