package main

import (
	"testing"

	"retrans/retranstest"
)

func TestPeersInANetworkGetTheLabel(t *testing.T) {
	outcome := retranstest.Run(t, plugin,
		retranstest.Settings{"networks": []string{"10.0.0.0/8", "2001:db8:1::/48"}, "name": "here"},
		retranstest.Events(
			retranstest.Record("10.1.2.3:443"),
			retranstest.Record("192.0.2.1:443"),
			retranstest.Record("[2001:db8:1::5]:443"),
		),
		retranstest.Event(retranstest.Record("10.1.2.4:443"), "network", "replaced"),
	)
	expected := []string{"here", "", "here", "here"}
	if len(outcome.Kept) != len(expected) {
		t.Fatalf("%d events kept, expected %d", len(outcome.Kept), len(expected))
	}
	for i, kept := range outcome.Kept {
		if label := kept.Labels["network"]; label != expected[i] {
			t.Errorf("event %d has the label %q, expected %q", i, label, expected[i])
		}
	}
}

func TestOneNetworkNeedsNoList(t *testing.T) {
	outcome := retranstest.Run(t, plugin, retranstest.Settings{"networks": "10.0.0.0/8"},
		retranstest.Events(retranstest.Record("10.1.2.3:443")))
	if label := outcome.Kept[0].Labels["network"]; label != "internal" {
		t.Errorf("the label is %q", label)
	}
}

func TestAWrongNetworkIsNamed(t *testing.T) {
	_, err := retranstest.Play(plugin, retranstest.Settings{"networks": "10.0.0.1/8"})
	const expected = "networks: 10.0.0.1/8 has bits after the first 8: expected 10.0.0.0/8"
	if err == nil || err.Error() != expected {
		t.Errorf("the error is %v", err)
	}
}
