package main

import (
	"slices"
	"testing"
	"time"

	"retrans"
	"retrans/retranstest"
)

func kind(kind retrans.Kind) []byte {
	return retranstest.Record("192.0.2.1:443", func(e *retrans.Event) { e.SetKind(kind) })
}

func TestKindsAreCountedInEachPeriod(t *testing.T) {
	outcome := retranstest.Run(t, plugin, retranstest.Settings{"every": "2s"},
		retranstest.Tick(1000*time.Second),
		retranstest.Events(kind(retrans.KindTimeout), kind(retrans.KindFast), kind(retrans.KindFast)),
		retranstest.Lost(3),
		retranstest.Reload(nil),
		retranstest.Tick(1002*time.Second),
		retranstest.Tick(1004*time.Second),
		retranstest.Events(kind(99)),
	)
	expected := []string{
		`{"type":"kind_summary","boot_time_ns":1002000000000,"events":3,"lost":3,"kinds":{"fast":2,"timeout":1}}`,
		`{"type":"kind_summary","boot_time_ns":1004000000000,"events":1,"lost":0,"kinds":{"other(99)":1}}`,
	}
	if !slices.Equal(outcome.Lines, expected) {
		t.Errorf("lines:\n%q\nexpected:\n%q", outcome.Lines, expected)
	}
	if count := outcome.Counts["summaries"]; count != 2 {
		t.Errorf("%d summaries were counted, expected 2", count)
	}
}

func TestLinesGoOnInTheNextBoot(t *testing.T) {
	outcome := retranstest.Run(t, plugin, nil, retranstest.Tick(5000*time.Second),
		retranstest.Events(kind(retrans.KindFast)), retranstest.Tick(time.Second), retranstest.Tick(11*time.Second))
	const expected = `{"type":"kind_summary","boot_time_ns":11000000000,"events":1,"lost":0,"kinds":{"fast":1}}`
	if !slices.Equal(outcome.Lines, []string{expected}) {
		t.Errorf("lines: %q", outcome.Lines)
	}
}

func TestAPeriodOfLessThanASecondIsRefused(t *testing.T) {
	_, err := retranstest.Play(plugin, retranstest.Settings{"every": "999ms"})
	const expected = `every: expected a duration such as 10s, 250ms or 1m30s, at least 1s, not "999ms"`
	if err == nil || err.Error() != expected {
		t.Errorf("the error is %v", err)
	}
}
