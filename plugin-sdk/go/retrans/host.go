package retrans

// Host has the functions of the host that a [Runner] calls. In a component they are those of the contract; package
// retranstest has a host that records them.
type Host interface {
	// Lost returns the number of events that were lost since the last call that succeeded.
	Lost() uint64

	// Labels returns the labels that the host and earlier plugins put on the events of this call.
	Labels() []Column

	// Run returns what is known of the run, as keys and values.
	Run() map[string]string

	// Change replaces the records of the events with these numbers; records has them back to back.
	Change(events []uint32, records []byte)

	// Annotate puts labels with this key on events: the fields of a Column.
	Annotate(key string, events, ends []uint32, text []byte)

	// Emit raises or resolves an alert. The number of its event is negative if it has none.
	Emit(alert *Alert, event int)

	// Write writes whole lines to the host's standard output.
	Write(lines []byte)

	// Count adds to one of the plugin's own counters.
	Count(metric string, by uint64)

	// Gauge sets one of the plugin's own gauges.
	Gauge(metric string, value float64)

	// Observe adds values to one of the plugin's own histograms.
	Observe(metric string, values []float64)

	// Log writes to the host's log.
	Log(level Level, text string)
}

// current is the host that called the plugin last.
var current Host

// Level is the level of a line of the log.
type Level uint8

// Levels, the most urgent first.
const (
	LevelError Level = iota
	LevelWarn
	LevelInfo
	LevelDebug
	LevelTrace
)

// String returns the name of the level.
func (l Level) String() string {
	return [...]string{"error", "warn", "info", "debug", "trace"}[min(l, LevelTrace)]
}

// Log writes a line to the host's log, at most 100 lines a second. Package retrans/log formats lines.
func Log(level Level, text string) {
	if current != nil {
		current.Log(level, text)
	}
}

// Run is what is known of the run that the plugin is part of. All but the version may be unknown while the plugin is
// created.
type Run struct {
	values map[string]string
}

// CurrentRun returns what is known now.
func CurrentRun() Run {
	if current == nil {
		return Run{}
	}
	return Run{current.Run()}
}

// Host returns the name of the machine whose events these are. In a replay it is the machine that recorded them.
func (r Run) Host() (name string, ok bool) {
	name, ok = r.values["host"]
	return name, ok
}

// Kernel returns the release of that machine's kernel.
func (r Run) Kernel() (release string, ok bool) {
	release, ok = r.values["kernel"]
	return release, ok
}

// IsLive returns whether the events come from the kernel now; they do not in a replay.
func (r Run) IsLive() (isLive, ok bool) {
	source, ok := r.values["source"]
	return source == "live", ok
}

// Version returns the version of the program that runs the plugin.
func (r Run) Version() (version string, ok bool) {
	version, ok = r.values["version"]
	return version, ok
}
