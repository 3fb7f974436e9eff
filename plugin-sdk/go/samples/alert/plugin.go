// A plugin for retrans-host: it raises an alert for each peer whose retransmission timeout is long, and resolves it when
// its timeouts have been short again.
package main

import (
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
		out.Alert(alert(peer, retrans.Firing,
			"retransmission timeout of "+strconv.FormatInt(timeout.Milliseconds(), 10)+" ms"))
	}
	s.lastLong[peer] = max(last, event.Time())
	return retrans.Keep, nil
}

func (s *slowPeers) OnTick(now time.Duration, out *retrans.Output) error {
	for _, peer := range s.peers() {
		if now-s.lastLong[peer] >= s.settings.Hold {
			out.Alert(alert(peer, retrans.Resolved, "its timeouts are short again"))
			delete(s.lastLong, peer)
		}
	}
	return nil
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

// peers returns the peers with an alert in the order of their 16 bytes: the order of a map is random.
func (s *slowPeers) peers() []netip.Addr {
	peers := make([]netip.Addr, 0, len(s.lastLong))
	for peer := range s.lastLong {
		peers = append(peers, peer)
	}
	slices.SortFunc(peers, func(a, b netip.Addr) int {
		one, other := a.As16(), b.As16()
		return slices.Compare(one[:], other[:])
	})
	return peers
}

const stateVersion = 1

// Save writes the active alerts.
func (s *slowPeers) Save() (version uint32, state []byte, err error) {
	var writer retrans.StateWriter
	writer.Uint(uint64(len(s.lastLong)))
	for _, peer := range s.peers() {
		writer.Address(peer)
		writer.Duration(s.lastLong[peer])
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
