package main

import (
	"testing"

	"retrans/retranstest"
)

func TestOtherPortsAreDropped(t *testing.T) {
	outcome := retranstest.Run(t, plugin, retranstest.Settings{"port": 5432},
		retranstest.Events(
			retranstest.Record("192.0.2.1:5432"),
			retranstest.Record("192.0.2.1:80"),
			retranstest.Record("[2001:db8::1]:5432"),
		),
	)
	if len(outcome.Kept) != 2 {
		t.Fatalf("%d events kept, expected 2", len(outcome.Kept))
	}
	for _, kept := range outcome.Kept {
		if port := kept.Event().PeerPort(); port != 5432 {
			t.Errorf("an event of port %d was kept", port)
		}
	}
}
