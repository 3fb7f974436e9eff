package retrans

import (
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

// Errorf returns an error as fmt.Errorf does, with file and line of the caller: "bad port (plugin.go:12)".
func Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if _, file, line, ok := runtime.Caller(1); ok {
		return &placedError{err, place(file, line)}
	}
	return err
}

// placedError is an error with its place in the source.
type placedError struct {
	error
	place string
}

func (e *placedError) Error() string {
	return e.error.Error() + " (" + e.place + ")"
}

func (e *placedError) Unwrap() error {
	return e.error
}

// methodError is an error of one of the plugin's methods.
type methodError struct {
	error
	method string
}

// Error returns one line: the method is with the place, if there is one.
func (e *methodError) Error() string {
	if placed, ok := e.error.(*placedError); ok {
		return placed.error.Error() + " (" + placed.place + " in " + e.method + ")"
	}
	return e.error.Error() + " (in " + e.method + ")"
}

func (e *methodError) Unwrap() error {
	return e.error
}

func inMethod(err error, method string) error {
	return &methodError{err, method}
}

// errorText is an error of the SDK.
type errorText string

func (e errorText) Error() string {
	return string(e)
}

// recoverAs turns a panic into an error with its place: "panic: assignment to entry in nil map (plugin.go:12 in
// OnEvent)".
func recoverAs(err *error, method string) {
	value := recover()
	if value == nil {
		return
	}
	text := "panic: " + panicText(value)
	if where := panicPlace(); where != "" {
		text += " (" + where + " in " + method + ")"
	}
	*err = errorText(text)
}

func panicText(value any) string {
	switch value := value.(type) {
	case error:
		return value.Error()
	case string:
		return value
	case interface{ String() string }:
		return value.String()
	}
	return "a value of type " + reflect.TypeOf(value).String()
}

// panicPlace returns file and line of the function that panicked: the one of package main, if there is one on the stack
// above the SDK, else the one that is not of the runtime.
func panicPlace() string {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	first, isPanicking := "", false
	for {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			// A panic in a deferred function has another one below it, in which it began.
			first, isPanicking = "", true
		case !isPanicking || strings.HasPrefix(frame.Function, "runtime."):
		case strings.HasPrefix(frame.Function, "main."):
			return place(frame.File, frame.Line)
		case strings.HasPrefix(frame.Function, "retrans.(*Runner)."):
			return first
		case first == "":
			first = place(frame.File, frame.Line)
		}
		if !more {
			return first
		}
	}
}

func place(file string, line int) string {
	return file[strings.LastIndexByte(file, '/')+1:] + ":" + strconv.Itoa(line)
}
