package stateful

import (
	"bytes"
	"unsafe"

	"retrans/internal/abi"
	"retrans/internal/link"
)

// The exported functions of interface state in plugin-sdk/wit/plugin.wit.

//go:wasmexport retrans:plugin/state@0.1.0#save
func exportSave() *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	version, state, err := link.Save()
	if err != nil {
		return abi.Failed(err)
	}
	return abi.Numbered(version, state)
}

//go:wasmexport retrans:plugin/state@0.1.0#restore
func exportRestore(version uint32, state unsafe.Pointer, length uint32) *abi.Result {
	abi.BeginCall()
	defer abi.EndCall()
	// A copy: the plugin may keep parts of it.
	return abi.Of(link.Restore(version, bytes.Clone(abi.Bytes(state, length))))
}
