// Package retrans is the SDK for plugins of retrans-host in Go.
//
// A plugin is a type with a method OnEvent, which gets each TCP retransmit of a machine:
//
//	type settings struct {
//		Port uint16 `retrans:"port" default:"443" doc:"Port of the service, at the peer."`
//	}
//
//	type filter struct{ port uint16 }
//
//	func newFilter(s settings) (*filter, error) { return &filter{s.Port}, nil }
//
//	func (f *filter) OnEvent(event *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
//		return retrans.KeepIf(event.PeerPort() == f.port), nil
//	}
//
//	var plugin = retrans.Define(retrans.About{Name: "service", Version: "0.1.0"}, newFilter)
//
//	func init() { plugin.Export() }
//
//	func main() {}
//
// A plugin may also implement [Ticker], [LossHandler], [Finisher] and [Stateful]. Package retranstest runs a plugin
// natively, in tests.
//
// # Effects
//
// What a plugin passes to [Output], labels and changes of events take effect when the call of the host has succeeded. A
// call has up to 256 events. After an error, a panic or a missed deadline none of it does.
package retrans
