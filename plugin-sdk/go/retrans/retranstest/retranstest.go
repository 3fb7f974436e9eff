// Package retranstest runs a plugin natively, in tests: over events, losses, ticks and reloads.
//
//	func TestOtherPortsAreDropped(t *testing.T) {
//		outcome := retranstest.Run(t, plugin, retranstest.Settings{"port": 443},
//			retranstest.Event(retranstest.Record("192.0.2.1:443")),
//			retranstest.Event(retranstest.Record("192.0.2.1:80", func(e *retrans.Event) {
//				e.SetKind(retrans.KindTimeout)
//				e.SetRTO(3 * time.Second)
//			})),
//			retranstest.Tick(2000*time.Second),
//		)
//		if len(outcome.Kept) != 1 {
//			t.Errorf("%d events kept, expected 1", len(outcome.Kept))
//		}
//	}
package retranstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"retrans"
)

// Settings has values of settings by key; the others have their defaults.
type Settings map[string]any

// Step is a part of a stream: what [Event], [Events], [Lost], [Tick] and [Reload] return.
type Step struct {
	events   []*event
	lost     uint64
	tick     time.Duration
	kind     stepKind
	settings Settings
}

type stepKind uint8

const (
	eventStep stepKind = iota
	lossStep
	tickStep
	reloadStep
)

// event is a record with the labels that it has before the plugin.
type event struct {
	record []byte
	labels map[string]string
}

// Event passes an event, with labels of earlier plugins: keys and values by turns.
func Event(record []byte, labels ...string) Step {
	if len(labels)%2 != 0 {
		panic("retranstest.Event: a label has a key and a value")
	}
	e := &event{record, make(map[string]string)}
	for i := 0; i < len(labels); i += 2 {
		e.labels[labels[i]] = labels[i+1]
	}
	return Step{events: []*event{e}}
}

// Events passes events.
func Events(records ...[]byte) Step {
	var step Step
	for _, record := range records {
		step.events = append(step.events, &event{record: record})
	}
	return step
}

// Lost loses events: the plugin is told at the next call.
func Lost(count uint64) Step { return Step{kind: lossStep, lost: count} }

// Tick passes the time since boot.
func Tick(now time.Duration) Step { return Step{kind: tickStep, tick: now} }

// Reload replaces the plugin by a new instance with the same state. It has the settings of the one before, except for
// those that are given.
func Reload(changed Settings) Step { return Step{kind: reloadStep, settings: changed} }

// batchSizes are the largest numbers of events in a call, one for each of the runs of a stream.
var batchSizes = [...]int{1, 7, 256}

// one keeps tests that are run in parallel apart: a program has one host at a time.
var one sync.Mutex

// Run runs a plugin over a stream, and ends the test if there is an error. See [Play].
func Run(t testing.TB, definition *retrans.Definition, settings Settings, steps ...Step) *Outcome {
	t.Helper()
	outcome, err := Play(definition, settings, steps...)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// Play runs a plugin over a stream, in calls of at most 1, 7 and 256 events; a plugin with state once more, with a
// reload after every call. Different results are an error, as are those of the plugin, and effects that the host
// would refuse.
func Play(definition *retrans.Definition, settings Settings, steps ...Step) (*Outcome, error) {
	one.Lock()
	defer one.Unlock()
	whole, err := play(definition, settings, steps, batchSizes[0], false)
	for _, size := range batchSizes[1:] {
		other, otherErr := play(definition, settings, steps, size, false)
		if difference := difference(whole, other, err, otherErr); difference != "" {
			return nil, fmt.Errorf("the results depend on how the stream is divided into calls: calls of at most 1 and of "+
				"at most %d events differ in %s", size, difference)
		}
	}
	if definition.IsStateful() {
		other, otherErr := play(definition, settings, steps, batchSizes[0], true)
		if other != nil && whole != nil {
			// Each instance may log that it begins.
			other.Logs = whole.Logs
		}
		if difference := difference(whole, other, err, otherErr); difference != "" {
			return nil, fmt.Errorf("the state is incomplete: results without and with a reload after every call differ in %s",
				difference)
		}
	}
	return whole, err
}

// play runs a plugin over a stream once.
func play(definition *retrans.Definition, settings Settings, steps []Step, size int, reloads bool) (*Outcome, error) {
	p := &player{definition: definition, settings: Settings{}, host: &host{}, outcome: &Outcome{}}
	if err := p.start(settings); err != nil {
		return nil, err
	}
	var batch []*event
	var now time.Duration
	flush := func() error {
		err := p.process(batch)
		batch = nil
		if err == nil && reloads {
			err = p.reload(nil)
		}
		return err
	}
	for _, step := range steps {
		for _, e := range step.events {
			now = max(now, retrans.NewEvent(e.record).Time())
			if batch = append(batch, e); len(batch) == size {
				if err := flush(); err != nil {
					return nil, err
				}
			}
		}
		if step.kind != eventStep {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		var err error
		switch step.kind {
		case lossStep:
			p.host.lost += step.lost
		case tickStep:
			now = max(now, step.tick)
			err = p.call(nil, func() error { return p.runner.Tick(step.tick) })
		case reloadStep:
			err = p.reload(step.settings)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if err := p.call(nil, func() error { return p.runner.Finish(now) }); err != nil {
		return nil, err
	}
	return p.outcome, nil
}

// player runs the calls of one run.
type player struct {
	definition *retrans.Definition
	settings   Settings
	runner     *retrans.Runner
	host       *host
	outcome    *Outcome
	// passed is the number of events of the calls so far.
	passed int
}

// start makes an instance, with these settings beside those of the one before.
func (p *player) start(changed Settings) error {
	for key, value := range changed {
		p.settings[key] = value
	}
	text, err := json.Marshal(p.settings)
	if err != nil {
		return err
	}
	p.host.outcome = p.outcome
	p.runner, err = retrans.NewRunner(p.definition, p.host, string(text))
	return err
}

func (p *player) reload(changed Settings) error {
	if !p.definition.IsStateful() {
		return errors.New("a plugin without state cannot be reloaded")
	}
	version, state, err := p.runner.Save()
	if err != nil {
		return err
	}
	if err := p.start(changed); err != nil {
		return err
	}
	if err := p.runner.Restore(version, state); err != nil {
		return fmt.Errorf("the saved state is refused: %w", err)
	}
	return nil
}

func (p *player) process(batch []*event) error {
	if len(batch) == 0 {
		return nil
	}
	size := 0
	for _, e := range batch {
		size = max(size, len(e.record))
	}
	records := make([]byte, size*len(batch))
	for i, e := range batch {
		copy(records[i*size:], e.record)
	}
	var kept retrans.Kept
	var bits []byte
	err := p.call(batch, func() (err error) {
		kept, bits, err = p.runner.Process(uint32(len(batch)), uint32(size), records)
		return err
	})
	if err != nil {
		return err
	}
	for i, k := range p.host.events {
		if kept == retrans.KeptAll || kept == retrans.KeptBits && bits[i/8]>>(i%8)&1 != 0 {
			p.outcome.Kept = append(p.outcome.Kept, k)
		}
	}
	p.passed += len(batch)
	return nil
}

// call makes one call. Its effects take effect if it succeeds.
func (p *player) call(batch []*event, call func() error) error {
	p.host.begin(batch)
	if err := call(); err != nil {
		return err
	}
	return p.host.commit(p.passed)
}
