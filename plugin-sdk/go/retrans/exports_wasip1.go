package retrans

import (
	"time"
	"unsafe"

	"retrans/internal/abi"
	"retrans/internal/link"
)

// The exported functions of interfaces processor and timer in plugin-sdk/wit/plugin.wit. Those of interface state are
// in package stateful.

// component is the configured plugin; nil before configure.
var component *Runner

func init() {
	link.Save = func() (uint32, []byte, error) { return component.Save() }
	link.Restore = func(version uint32, state []byte) error { return component.Restore(version, state) }
}

// described keeps the memory of what describe returned.
var described struct {
	pairs []pair
	list  abi.List
}

//go:wasmexport retrans:plugin/processor@0.1.0#describe
func exportDescribe() unsafe.Pointer {
	abi.BeginCall()
	defer abi.EndCall()
	if exported == nil {
		panic("retrans: the program exports no plugin: call Export of its definition in a function init")
	}
	about := exported.about
	for _, p := range [][2]string{
		{"name", about.Name}, {"version", about.Version}, {"summary", about.Summary}, {"settings", exported.schema},
	} {
		described.pairs = append(described.pairs, pair{abi.TextOf(p[0]), abi.TextOf(p[1])})
	}
	described.list = abi.ListOf(described.pairs)
	return unsafe.Pointer(&described.list)
}

//go:wasmexport retrans:plugin/processor@0.1.0#configure
func exportConfigure(settings unsafe.Pointer, length uint32) *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	tuneCollector()
	runner, err := NewRunner(exported, imports{}, string(abi.Bytes(settings, length)))
	if err != nil {
		return abi.Failed(err)
	}
	component = runner
	return abi.Ok()
}

//go:wasmexport retrans:plugin/processor@0.1.0#process
func exportProcess(count, size uint32, records unsafe.Pointer, length uint32) *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	kept, bits, err := component.Process(count, size, abi.Bytes(records, length))
	if err != nil {
		return abi.Failed(err)
	}
	return abi.Numbered(uint32(kept), bits)
}

//go:wasmexport retrans:plugin/timer@0.1.0#tick
func exportTick(now uint64) *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	return abi.Of(component.Tick(time.Duration(now)))
}

//go:wasmexport retrans:plugin/timer@0.1.0#finish
func exportFinish(now uint64) *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	return abi.Of(component.Finish(time.Duration(now)))
}
