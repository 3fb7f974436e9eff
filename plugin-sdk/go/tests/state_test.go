package sdktest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"retrans"
	"retrans/retranstest"
)

// counter counts events, and writes their number on a tick. Its state may be incomplete.
type counter struct {
	seen    uint64
	forgets bool
}

func (c *counter) OnEvent(*retrans.Event, *retrans.Output) (retrans.Verdict, error) {
	c.seen++
	return retrans.Keep, nil
}

func (c *counter) OnTick(_ time.Duration, out *retrans.Output) error {
	out.Line(fmt.Sprint(c.seen))
	return nil
}

func (c *counter) Save() (version uint32, state []byte, err error) {
	var writer retrans.StateWriter
	writer.Uint(c.seen)
	return 1, writer.Bytes(), nil
}

func (c *counter) Restore(_ uint32, state []byte) error {
	reader := retrans.NewStateReader(state)
	if seen := reader.Uint(); !c.forgets {
		c.seen = seen
	}
	return reader.Close()
}

func counterOf(forgets bool) *retrans.Definition {
	return retrans.Define(retrans.About{Name: "counter"}, func(struct{}) (*counter, error) {
		return &counter{forgets: forgets}, nil
	})
}

func TestAStateSurvivesAReload(t *testing.T) {
	steps := []retranstest.Step{
		retranstest.Events(records(5)...), retranstest.Reload(nil), retranstest.Events(records(3)...),
		retranstest.Tick(time.Hour),
	}
	outcome := retranstest.Run(t, counterOf(false), nil, steps...)
	expect(t, "the lines", strings.Join(outcome.Lines, "|"), "8")
	_, err := retranstest.Play(counterOf(true), nil, steps...)
	if err == nil || !strings.Contains(err.Error(), "the state is incomplete") {
		t.Errorf("the error is %v", err)
	}
}

func TestAStateIsReadAsItWasWritten(t *testing.T) {
	var writer retrans.StateWriter
	writer.Uint(1<<64 - 1)
	writer.Int(-5)
	writer.Float(0.25)
	writer.Text("a text")
	writer.Address(netip.MustParseAddr("192.0.2.1"))
	writer.Address(netip.MustParseAddr("2001:db8::1"))
	writer.Duration(-time.Second)
	state := writer.Bytes()
	read := func(state []byte) (string, error) {
		r := retrans.NewStateReader(state)
		values := fmt.Sprint(r.Uint(), r.Int(), r.Float(), r.Text(), r.Address(), r.Address(), r.Duration())
		return values, r.Close()
	}
	values, err := read(state)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the state", values, "18446744073709551615 -5 0.25a text192.0.2.1 2001:db8::1 -1s")
	for length := range state {
		if _, err := read(state[:length]); err == nil {
			t.Errorf("the first %d bytes are accepted", length)
		}
	}
	if _, err := read(append(state, 0)); err == nil {
		t.Error("a byte too many is accepted")
	}
}

func TestACountIsAtMostTheBytesThatAreLeft(t *testing.T) {
	var writer retrans.StateWriter
	writer.Uint(1 << 40)
	reader := retrans.NewStateReader(writer.Bytes())
	expect(t, "the count", reader.Count(), 0)
	if reader.Close() == nil {
		t.Error("the state is accepted")
	}
}

func TestAPluginWithStateIsExportedByItsPackage(t *testing.T) {
	defer func() {
		if is := fmt.Sprint(recover()); !strings.Contains(is, "call stateful.Export") {
			t.Errorf("the panic is %q", is)
		}
	}()
	counterOf(false).Export()
}
