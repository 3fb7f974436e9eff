// A plugin for retrans-host: it labels retransmits to networks of our own.
package main

import (
	"net/netip"

	"retrans"
)

type settings struct {
	Networks []netip.Prefix `retrans:"networks" default:"" doc:"The networks, such as 10.0.0.0/8."`
	Name     string         `retrans:"name" default:"internal" doc:"Value of the label for peers in one of them."`
}

type labeller struct {
	networks []netip.Prefix
	name     string
}

func newLabeller(s settings) (*labeller, error) {
	return &labeller{networks: s.Networks, name: s.Name}, nil
}

func (l *labeller) OnEvent(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
	peer := event.PeerAddress()
	for _, network := range l.networks {
		if network.Contains(peer) {
			event.SetLabel("network", l.name)
			break
		}
	}
	return retrans.Keep, nil
}

var plugin = retrans.Define(retrans.About{
	Name:    "{{name}}",
	Version: "0.1.0",
	Summary: "{{summary}}",
}, newLabeller)

func init() { plugin.Export() }

// main is never called: the host calls the exported functions.
func main() {}
