// A plugin for retrans-host: it keeps the retransmits of one service, and drops all others.
package main

import "retrans"

type settings struct {
	Port uint16 `retrans:"port" default:"443" doc:"Port of the service, at the peer."`
}

type service struct {
	port uint16
}

func newService(s settings) (*service, error) {
	return &service{port: s.Port}, nil
}

func (s *service) OnEvent(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
	return retrans.KeepIf(event.PeerPort() == s.port), nil
}

var plugin = retrans.Define(retrans.About{
	Name:    "{{name}}",
	Version: "0.1.0",
	Summary: "{{summary}}",
}, newService)

func init() { plugin.Export() }

// main is never called: the host calls the exported functions.
func main() {}
