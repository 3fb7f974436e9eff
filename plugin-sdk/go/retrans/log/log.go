// Package log writes formatted lines to the host's log, at most 100 lines a second. [retrans.Log] writes a text as it
// is.
package log

import (
	"fmt"

	"retrans"
)

// Errorf writes a line about an error.
func Errorf(format string, args ...any) { logf(retrans.LevelError, format, args) }

// Warnf writes a warning.
func Warnf(format string, args ...any) { logf(retrans.LevelWarn, format, args) }

// Infof writes a line for information.
func Infof(format string, args ...any) { logf(retrans.LevelInfo, format, args) }

// Debugf writes a line that the host shows with -v.
func Debugf(format string, args ...any) { logf(retrans.LevelDebug, format, args) }

// Tracef writes a line about details.
func Tracef(format string, args ...any) { logf(retrans.LevelTrace, format, args) }

func logf(level retrans.Level, format string, args []any) {
	retrans.Log(level, fmt.Sprintf(format, args...))
}
