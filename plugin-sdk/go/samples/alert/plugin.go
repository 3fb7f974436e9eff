// A plugin for retrans-host: it raises an alert for each peer whose retransmission timeout is long, and resolves it
// when its timeouts have been short again.
package main

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"retrans"
	"retrans/stateful"
)

type settings struct {
	Timeout time.Duration `retrans:"timeout" default:"2s" doc:"Timeout from which a peer gets an alert."`
	Hold    time.Duration `retrans:"hold" default:"60s" doc:"How long timeouts must be short before it is resolved."`
}

// maxPeers is the most peers that have an alert at the same time. Remote hosts choose the addresses of peers.
const maxPeers = 1_000

type slowPeers struct {
	settings settings
	// lastLong has the time of the last long timeout of each peer that has an alert.
	lastLong map[netip.Addr]time.Duration
}

func newSlowPeers(s settings) (*slowPeers, error) {
	return &slowPeers{settings: s, lastLong: make(map[netip.Addr]time.Duration)}, nil
}

func (s *slowPeers) OnEvent(event *retrans.Event, out *retrans.Output) (retrans.Verdict, error) {
	// Unknown for attempts without a connection.
	timeout, ok := event.RTO()
	if !ok || timeout < s.settings.Timeout {
		return retrans.Keep, nil
	}
	peer := event.PeerAddress()
	last, isActive := s.lastLong[peer]
	if !isActive {
		if len(s.lastLong) >= maxPeers {
			return retrans.Keep, nil
		}
		out.Alert(alert(peer, retrans.Firing,
			"retransmission timeout of "+strconv.FormatInt(timeout.Milliseconds(), 10)+" ms"))
	}
	s.lastLong[peer] = max(last, event.Time())
	return retrans.Keep, nil
}

func (s *slowPeers) OnTick(now time.Duration, out *retrans.Output) error {
	var short []netip.Addr
	for peer, last := range s.lastLong {
		// A later time is that of an earlier boot: a replay may have several.
		last = min(last, now)
		s.lastLong[peer] = last
		if now-last >= s.settings.Hold {
			short = append(short, peer)
		}
	}
	// The order of a map is random.
	slices.SortFunc(short, compareAddresses)
	for _, peer := range short {
		out.Alert(alert(peer, retrans.Resolved, "its timeouts are short again"))
		delete(s.lastLong, peer)
	}
	return nil
}

// compareAddresses orders addresses by their 16 bytes, IPv4 as ::ffff:192.0.2.1.
func compareAddresses(a, b netip.Addr) int {
	one, other := a.As16(), b.As16()
	return bytes.Compare(one[:], other[:])
}

func alert(peer netip.Addr, state retrans.AlertState, summary string) retrans.Alert {
	return retrans.Alert{
		Name:     "slow-peer",
		Severity: retrans.Warning,
		State:    state,
		Summary:  summary,
		Labels:   []retrans.Label{{Key: "peer", Value: peer.String()}},
	}
}

const stateVersion = 1

// Save writes the active alerts.
func (s *slowPeers) Save() (version uint32, state []byte, err error) {
	var writer retrans.StateWriter
	writer.Uint(uint64(len(s.lastLong)))
	for peer, last := range s.lastLong {
		writer.Address(peer)
		writer.Duration(last)
	}
	return stateVersion, writer.Bytes(), nil
}

// Restore reads what Save has written.
func (s *slowPeers) Restore(version uint32, state []byte) error {
	if version != stateVersion {
		return retrans.Errorf("a state of version %d; this plugin reads version %d", version, stateVersion)
	}
	reader := retrans.NewStateReader(state)
	for range reader.Count() {
		peer := reader.Address()
		s.lastLong[peer] = reader.Duration()
	}
	return reader.Close()
}

var plugin = retrans.Define(retrans.About{
	Name:    "{{name}}",
	Version: "0.1.0",
	Summary: "{{summary}}",
}, newSlowPeers)

func init() { stateful.Export(plugin) }

// main is never called: the host calls the exported functions.
func main() {}
