//go:build wasip1

// Package abi has what the exported functions of a component share: the memory through which the host passes lists, and
// the forms of results. It is the canonical ABI of the component model, as far as the contract needs it: see
// plugin-sdk/wit/plugin.wit.
package abi

import "unsafe"

// The host asks for memory in the middle of a call of its own, when a component must not call the host: the collector
// would do so, to read the clock. And the adapter of WASI asks for memory before the runtime is ready. So this memory
// is not the collector's.
var (
	// adapterMemory is what the adapter asks for while the runtime starts: its state and its stack, of 64 KiB each. It
	// keeps them for as long as the component lives.
	adapterMemory [192 << 10 / 8]uint64
	adapter       region

	// argumentMemory is for the list or the text that a call of an exported function has: none has two. A call of
	// process has the largest one, 256 records; only a saved state may be larger.
	argumentMemory [512 << 10 / 8]uint64
	argument       region

	// resultMemory is for what imported functions return during one call of an exported function. There is room for all
	// labels that the host admits.
	resultMemory [768 << 10 / 8]uint64
	result       region

	isReady, isInCall, isInImport bool
)

func init() {
	isReady = true
}

// region tells what of a memory is in use.
type region struct {
	used uint32
	// larger has what did not fit.
	larger [][]uint64
}

// allocate returns a part of the memory, at an address that is a multiple of 8, the largest alignment of the contract.
//
//go:nosplit
func (r *region) allocate(memory []uint64, size uint32) unsafe.Pointer {
	words := (size + 7) / 8
	if words > uint32(len(memory))-r.used {
		return r.allocateLarger(words)
	}
	to := &memory[r.used]
	r.used += words
	return unsafe.Pointer(to)
}

// allocateLarger returns memory of the collector. While it is pinned, the runtime does not begin a collection.
func (r *region) allocateLarger(words uint32) unsafe.Pointer {
	procPin()
	memory := make([]uint64, words)
	r.larger = append(r.larger, memory)
	procUnpin()
	return unsafe.Pointer(unsafe.SliceData(memory))
}

func (r *region) reset() {
	r.used, r.larger = 0, nil
}

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// realloc has no check of the stack, which could move the stack under the adapter's pointers.
//
//go:wasmexport cabi_realloc
//go:nosplit
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	var to unsafe.Pointer
	switch {
	case size == 0:
		return unsafe.Pointer(&adapterMemory)
	case isInImport:
		to = result.allocate(resultMemory[:], size)
	case isReady && !isInCall:
		argument.used, argument.larger = 0, nil
		to = argument.allocate(argumentMemory[:], size)
	default:
		to = adapter.allocate(adapterMemory[:], size)
	}
	for i := range oldSize {
		*(*byte)(unsafe.Add(to, i)) = *(*byte)(unsafe.Add(old, i))
	}
	return to
}

// BeginCall begins a call of an exported function. End it with EndCall.
func BeginCall() {
	isInCall = true
	result.reset()
}

// EndCall ends a call of an exported function.
func EndCall() {
	isInCall = false
}

// Take calls an imported function that returns a list. The list is valid until the call of the exported function ends.
func Take(call func(to unsafe.Pointer)) List {
	isInImport = true
	call(unsafe.Pointer(&taken))
	isInImport = false
	return taken
}

// taken is where imported functions write their results.
var taken List

// List is a list or a text in memory, as the host writes it.
type List struct {
	address uint32
	length  uint32
}

// Items returns the elements of a list, where they are.
func Items[T any](list List) []T {
	if list.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(list.start()), list.length)
}

// Text returns a copy of a text.
func (l List) Text() string {
	if l.length == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(l.start()), l.length))
}

func (l List) start() unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(nil), l.address)
}

// ListOf returns the list in the form that the host reads. The caller keeps the memory alive.
func ListOf[T any](items []T) List {
	return List{uint32(uintptr(unsafe.Pointer(unsafe.SliceData(items)))), uint32(len(items))}
}

// TextOf returns the text in the form that the host reads. The caller keeps the memory alive.
func TextOf(text string) List {
	return List{uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))), uint32(len(text))}
}
