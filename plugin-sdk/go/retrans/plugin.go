package retrans

import "time"

// Verdict says whether an event goes on to the next plugin.
type Verdict bool

// Values of Verdict.
const (
	Drop Verdict = false
	Keep Verdict = true
)

// KeepIf returns Keep if the condition holds, else Drop.
func KeepIf(condition bool) Verdict {
	return Verdict(condition)
}

// Plugin processes every event of the stream in order. It may also implement [LossHandler], [Ticker], [Finisher] and
// [Stateful].
//
// The host passes events in calls of 1 to 256. The size of the calls must make no difference, which package retranstest
// tests. The only time is that of the stream, and the only output is through [Output] and [Log].
//
// An error, a panic or a missed deadline is a fault: the call has no effects, and the host replaces the instance by a
// new one.
type Plugin interface {
	// OnEvent processes an event: it may change it, and returns whether it goes on to the next plugin. The event is
	// valid until the method returns.
	OnEvent(event *Event, out *Output) (Verdict, error)
}

// LossHandler is a plugin that is told of losses.
type LossHandler interface {
	// OnLost is called when this number of events was lost, before the events that follow. Those may be older than the
	// lost ones: they waited in the kernel's ring, which was full.
	OnLost(count uint64, out *Output) error
}

// Ticker is a plugin that is told the time.
type Ticker interface {
	// OnTick is called for every second of the stream, also while there are no events. The time is that since boot, as
	// in [Event.Time]. Events that follow may be up to 1 s older, and by more while the host is behind.
	OnTick(now time.Duration, out *Output) error
}

// Finisher is a plugin that is told the end of the stream.
type Finisher interface {
	// OnFinish is called once, at the end of the stream: the last call that can have effects.
	OnFinish(now time.Duration, out *Output) error
}

// Stateful is a plugin whose state survives a fault and a new version. It is exported with package stateful:
// stateful.Export(plugin).
//
// The host saves the state after every tick, and before another instance takes over. It restores the state in a new
// instance before the first event. After a fault, changes since the last tick are lost. [StateWriter] and [StateReader]
// write and read the bytes.
type Stateful interface {
	// Save returns the state, with the version of its format. It has no effects on the plugin or the host.
	Save() (version uint32, state []byte, err error)

	// Restore takes a saved state. An instance of this plugin has saved it, possibly of another version or with other
	// settings: check the bytes as those of any other input. After an error the host starts another instance, without
	// the state.
	Restore(version uint32, state []byte) error
}
