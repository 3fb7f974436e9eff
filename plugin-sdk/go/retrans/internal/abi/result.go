//go:build wasip1

package abi

import (
	"structs"
	"unsafe"
)

// Result is the memory of the result of a call. Its form is that of every result of the contract: a tag, and after it
// up to three words. One is enough: the host reads it before the next call.
type Result struct {
	_     structs.HostLayout
	tag   uint8
	words [3]uint32
}

var returned Result

// alive keeps the memory that the result refers to.
var alive struct {
	text  string
	bytes []byte
}

// Ok returns the result without a value.
func Ok() *Result {
	returned = Result{}
	return &returned
}

// Failed returns an error.
func Failed(err error) *Result {
	alive.text = err.Error()
	list := TextOf(alive.text)
	returned = Result{tag: 1, words: [3]uint32{list.address, list.length}}
	return &returned
}

// Numbered returns a number, or the tag of a variant, and bytes.
func Numbered(number uint32, bytes []byte) *Result {
	alive.bytes = bytes
	list := ListOf(bytes)
	returned = Result{words: [3]uint32{number, list.address, list.length}}
	return &returned
}

// Of returns the result of a call that has no value.
func Of(err error) *Result {
	if err != nil {
		return Failed(err)
	}
	return Ok()
}

// Bytes returns the bytes of an argument of an exported function.
func Bytes(data unsafe.Pointer, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(data), length)
}
