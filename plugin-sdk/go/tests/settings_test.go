package sdktest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"retrans"
)

// keepAll is a plugin that keeps all events.
type keepAll struct{}

func (keepAll) OnEvent(*retrans.Event, *retrans.Output) (retrans.Verdict, error) {
	return retrans.Keep, nil
}

type everything struct {
	Small    int8           `retrans:"small" default:"-3" doc:"A \"small\" number."`
	Large    uint64         `retrans:"large" default:"18446744073709551615"`
	Ratio    float64        `retrans:"ratio" default:"0.5" min:"0" max:"1"`
	On       bool           `retrans:"on" default:"true"`
	Text     string         `retrans:"text" default:""`
	Word     string         `retrans:"word" default:"peer" words:"peer,port"`
	Wait     time.Duration  `retrans:"wait" default:"1h 30m" min:"1s" max:"1d"`
	Address  netip.Addr     `retrans:"address" default:"::1"`
	Network  netip.Prefix   `retrans:"network" default:"10.0.0.0/8"`
	Networks []netip.Prefix `retrans:"networks" default:""`
	Ports    []uint16       `retrans:"ports" default:"80,443"`
	Needed   string         `retrans:"needed"`
}

// read returns the settings that a plugin gets for this JSON.
func read(text string) (got everything, err error) {
	definition := retrans.Define(retrans.About{Name: "test"}, func(s everything) (keepAll, error) {
		got = s
		return keepAll{}, nil
	})
	_, err = retrans.NewRunner(definition, nil, text)
	return got, err
}

func TestSettingsHaveDefaults(t *testing.T) {
	got, err := read(`{"needed":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	expected := everything{
		Small: -3, Large: 18446744073709551615, Ratio: 0.5, On: true, Word: "peer", Wait: 90 * time.Minute,
		Address: netip.MustParseAddr("::1"), Network: netip.MustParsePrefix("10.0.0.0/8"), Ports: []uint16{80, 443},
		Needed: "x",
	}
	expect(t, "the settings", fmt.Sprint(got), fmt.Sprint(expected))
}

func TestSettingsAreRead(t *testing.T) {
	got, err := read(` {"needed":"\"\\\u00e9\ud83d\ude00\n", "small" : -128, "large":18446744073709551614,
		"ratio":1e-1, "on":false, "wait":"250ms 1s", "networks":["2001:db8::/32","::ffff:10.0.0.0/104", "192.0.2.1"],
		"ports":8080} `)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "needed", got.Needed, "\"\\\u00e9\U0001f600\n")
	expect(t, "small", got.Small, -128)
	expect(t, "large", got.Large, 18446744073709551614)
	expect(t, "ratio", got.Ratio, 0.1)
	expect(t, "on", got.On, false)
	expect(t, "wait", got.Wait, 1250*time.Millisecond)
	expect(t, "networks", fmt.Sprint(got.Networks), "[2001:db8::/32 10.0.0.0/8 192.0.2.1/32]")
	expect(t, "ports", fmt.Sprint(got.Ports), "[8080]")
}

func TestAnErrorNamesTheSetting(t *testing.T) {
	for text, expected := range map[string]string{
		`{}`:                            "needed: the setting is missing, and has no default",
		`{"needed":"x","small":128}`:    "small: expected a whole number from -128 to 127, not 128",
		`{"needed":"x","small":1.5}`:    "small: expected a whole number from -128 to 127, not 1.5",
		`{"needed":"x","small":"1"}`:    `small: expected a whole number from -128 to 127, not "1"`,
		`{"needed":"x","ratio":1.5}`:    "ratio: expected a number from 0 to 1, not 1.5",
		`{"needed":"x","on":1}`:         "on: expected true or false, not 1",
		`{"needed":"x","word":"peers"}`: `word: expected one of the words peer, port, not "peers"`,
		`{"needed":"x","wait":"2d"}`: `wait: expected a duration such as 10s, 250ms or 1m30s from 1s to 1d, ` +
			`not "2d"`,
		`{"needed":"x","address":"::g"}`:           `address: expected an IP address, not "::g"`,
		`{"needed":"x","networks":["10.0.0.1/8"]}`: "networks: 10.0.0.1/8 has bits after the first 8: expected 10.0.0.0/8",
		`{"needed":"x","ports":[1,65536]}`:         "ports: expected a whole number from 0 to 65535, not 65536",
		`{"needed":["x"]}`:                         "needed: expected text, not a list",
		`{"needed":"x","need":1}`:                  "need: there is no such setting; there are: small, large, ",
		`{"needed":"x"`:                            "the settings are not valid JSON: expected a comma, at byte 13",
		`{"needed":"x"} {}`:                        "the settings are not valid JSON: there is more than one value",
		`[]`:                                       "the settings are not a JSON object",
	} {
		_, err := read(text)
		if err == nil || !strings.HasPrefix(err.Error(), expected) {
			t.Errorf("%s: the error is\n%v, expected\n%s", text, err, expected)
		}
	}
}

func TestTheSchemaSaysWhatIsAllowed(t *testing.T) {
	definition := retrans.Define(retrans.About{}, func(everything) (keepAll, error) { return keepAll{}, nil })
	var schema struct {
		Type                 string
		Required             []string
		AdditionalProperties bool
		Properties           map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(definition.Schema()), &schema); err != nil {
		t.Fatalf("%v in %s", err, definition.Schema())
	}
	expect(t, "the type", schema.Type, "object")
	expect(t, "what is required", fmt.Sprint(schema.Required), "[needed]")
	expect(t, "that there may be more", schema.AdditionalProperties, false)
	for key, expected := range map[string]string{
		"small": `{"default":-3,"description":"A \"small\" number.","maximum":127,"minimum":-128,"type":"integer"}`,
		"large": `{"default":18446744073709552000,"maximum":18446744073709552000,"minimum":0,"type":"integer"}`,
		"word":  `{"default":"peer","enum":["peer","port"],"type":"string"}`,
		"ports": `{"anyOf":[{"maximum":65535,"minimum":0,"type":"integer"},{"items":{"maximum":65535,"minimum":0,` +
			`"type":"integer"},"type":"array"}],"default":[80,443]}`,
	} {
		is, err := json.Marshal(schema.Properties[key])
		if err != nil {
			t.Fatal(err)
		}
		expect(t, key, string(is), expected)
	}
}

func TestAWrongTagIsAPanic(t *testing.T) {
	expectPanic := func(expected string, define func()) {
		t.Helper()
		defer func() {
			if is := fmt.Sprint(recover()); !strings.Contains(is, expected) {
				t.Errorf("the panic is %q, expected %q", is, expected)
			}
		}()
		define()
	}
	expectPanic(`.Port: expected a whole number from 0 to 65535, not many`, func() {
		type settings struct {
			Port uint16 `retrans:"port" default:"many"`
		}
		retrans.Define(retrans.About{}, func(settings) (keepAll, error) { return keepAll{}, nil })
	})
	expectPanic("the tag `retrans:\"KEY\"` with the name of the setting is missing", func() {
		type settings struct{ Port uint16 }
		retrans.Define(retrans.About{}, func(settings) (keepAll, error) { return keepAll{}, nil })
	})
	expectPanic("a setting cannot have the type map[string]int", func() {
		type settings struct {
			Ports map[string]int `retrans:"ports"`
		}
		retrans.Define(retrans.About{}, func(settings) (keepAll, error) { return keepAll{}, nil })
	})
}

func TestDurations(t *testing.T) {
	for text, expected := range map[string]time.Duration{
		"0": 0, "10s": 10 * time.Second, "500ms": 500 * time.Millisecond, "1h 30m": 90 * time.Minute,
		"1m30s": 90 * time.Second, " 2 days": 48 * time.Hour, "1.5h": 90 * time.Minute, "0.25us": 250, "3\u00b5s": 3000,
		"1w 1M 1y": 7*24*time.Hour + 2_630_016*time.Second + 31_557_600*time.Second, "0.5s0.5s": time.Second,
	} {
		is, err := retrans.ParseDuration(text)
		if err != nil || is != expected {
			t.Errorf("%q is %v (%v), expected %v", text, is, err, expected)
		}
	}
	for _, text := range []string{"", " ", "10", "s", "-1s", "1.s", "1.5ns", "1 fortnight", "300y", "1e3s", "1..5s"} {
		if is, err := retrans.ParseDuration(text); err == nil {
			t.Errorf("%q is %v, expected an error", text, is)
		}
	}
}
