package main

import (
	"reflect"
	"testing"
	"time"

	"retrans"
	"retrans/retranstest"
)

// timeout returns an event of one peer with this retransmission timeout, at this second.
func timeout(rto time.Duration, second int) []byte {
	return retranstest.Record("192.0.2.1:443", func(e *retrans.Event) {
		e.SetRTO(rto)
		e.SetTime(time.Duration(second) * time.Second)
	})
}

func TestAnAlertRisesOnceAndEnds(t *testing.T) {
	outcome := retranstest.Run(t, plugin, nil,
		retranstest.Events(timeout(time.Second, 100), timeout(3*time.Second, 101), timeout(12*time.Second, 110)),
		retranstest.Reload(nil),
		retranstest.Tick(169*time.Second),
		retranstest.Tick(170*time.Second),
		retranstest.Tick(171*time.Second),
	)
	peer := map[string]string{"peer": "192.0.2.1"}
	expected := []retranstest.Alert{{
		Name: "slow-peer", Severity: retrans.Warning, Labels: peer, Event: 1,
		State: retrans.Firing, Summary: "retransmission timeout of 3000 ms",
	}, {
		Name: "slow-peer", Severity: retrans.Warning, Labels: peer, Event: -1,
		State: retrans.Resolved, Summary: "its timeouts are short again",
	}}
	if !reflect.DeepEqual(outcome.Alerts, expected) {
		t.Errorf("alerts:\n%+v\nexpected:\n%+v", outcome.Alerts, expected)
	}
	if len(outcome.Kept) != 3 {
		t.Errorf("%d events kept, expected 3", len(outcome.Kept))
	}
}

func TestAnAlertOfAnEarlierBootEnds(t *testing.T) {
	outcome := retranstest.Run(t, plugin, nil, retranstest.Events(timeout(3*time.Second, 5000)),
		retranstest.Tick(time.Second), retranstest.Tick(61*time.Second))
	if len(outcome.Alerts) != 2 || outcome.Alerts[1].State != retrans.Resolved {
		t.Errorf("alerts: %+v", outcome.Alerts)
	}
}

func TestAnUnknownTimeoutIsNotLong(t *testing.T) {
	outcome := retranstest.Run(t, plugin, retranstest.Settings{"timeout": "0"},
		retranstest.Events(retranstest.Record("192.0.2.1:443")))
	if len(outcome.Alerts) != 0 {
		t.Errorf("alerts: %+v", outcome.Alerts)
	}
}
