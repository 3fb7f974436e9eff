// A plugin for retrans-host that fails, for tests of the host.
package main

import "retrans"

type settings struct {
	Fault string `retrans:"fault" default:"exception" words:"exception,error,loop,memory" doc:"What happens."`
	After uint64 `retrans:"after" default:"0" doc:"Number of events before it."`
}

type faulty struct {
	settings settings
	seen     uint64
	kept     [][]byte
}

func newFaulty(s settings) (*faulty, error) {
	return &faulty{settings: s}, nil
}

func (f *faulty) OnEvent(_ *retrans.Event, _ *retrans.Output) (retrans.Verdict, error) {
	if f.seen < f.settings.After {
		f.seen++
		return retrans.Keep, nil
	}
	switch f.settings.Fault {
	case "exception":
		var none map[string]int
		none["fault"]++
	case "error":
		return retrans.Drop, retrans.Errorf("the plugin was told to fail after %d events", f.seen)
	case "loop":
		for {
			f.seen++
		}
	case "memory":
		for {
			f.kept = append(f.kept, make([]byte, 1<<20))
		}
	}
	return retrans.Keep, nil
}

var plugin = retrans.Define(retrans.About{
	Name:    "{{name}}",
	Version: "0.1.0",
	Summary: "{{summary}}",
}, newFaulty)

func init() { plugin.Export() }

func main() {}
