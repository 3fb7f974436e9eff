package retrans

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// set gives the field of the struct the value that the user or the tag has.
func (s *setting) set(fields reflect.Value, value jsonValue) error {
	field := fields.Field(s.index)
	if !s.isList {
		return s.setOne(field, value)
	}
	items := value.items
	if value.kind != jsonList {
		items = []jsonValue{value}
	}
	list := reflect.MakeSlice(field.Type(), len(items), len(items))
	for i, item := range items {
		if err := s.setOne(list.Index(i), item); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

func (s *setting) setOne(to reflect.Value, value jsonValue) error {
	if wanted := s.tagValue("").kind; value.kind != wanted {
		return errorText("expected " + s.expected() + ", not " + value.String())
	}
	switch s.kind {
	case boolSetting:
		if value.text != "true" && value.text != "false" {
			return s.unexpected(value)
		}
		to.SetBool(value.text == "true")
	case textSetting:
		if len(s.words) > 0 && !slices.Contains(s.words, value.text) {
			return s.unexpected(value)
		}
		to.SetString(value.text)
	case addressSetting:
		address, err := netip.ParseAddr(value.text)
		if err != nil {
			return s.unexpected(value)
		}
		to.Set(reflect.ValueOf(address.Unmap()))
	case networkSetting:
		network, err := parseNetwork(value.text)
		if err != nil {
			return err
		}
		to.Set(reflect.ValueOf(network))
	default:
		number, err := s.parseNumber(value.text)
		if err != nil || !s.isWithin(number) {
			return s.unexpected(value)
		}
		switch s.kind {
		case uintSetting:
			to.SetUint(number.unsigned)
		case floatSetting:
			to.SetFloat(number.float)
		default:
			to.SetInt(number.signed)
		}
	}
	return nil
}

func (s *setting) unexpected(value jsonValue) error {
	return errorText("expected " + s.expected() + ", not " + value.String())
}

// number has a value in the member that its kind of setting uses; the others are 0.
type number struct {
	signed   int64
	unsigned uint64
	float    float64
}

func (s *setting) parseNumber(text string) (n number, err error) {
	switch s.kind {
	case intSetting:
		n.signed, err = strconv.ParseInt(text, 10, s.size)
	case uintSetting:
		n.unsigned, err = strconv.ParseUint(text, 10, s.size)
	case floatSetting:
		n.float, err = strconv.ParseFloat(text, s.size)
	case durationSetting:
		var duration time.Duration
		duration, err = ParseDuration(text)
		n.signed = int64(duration)
	}
	return n, err
}

// isWithin returns whether the number is within the bounds, which have been checked to be numbers.
func (s *setting) isWithin(n number) bool {
	compare := func(bound string) int {
		other, _ := s.parseNumber(bound)
		return cmp.Or(
			cmp.Compare(n.signed, other.signed),
			cmp.Compare(n.unsigned, other.unsigned),
			cmp.Compare(n.float, other.float),
		)
	}
	return (s.low == "" || compare(s.low) >= 0) && (s.high == "" || compare(s.high) <= 0)
}

// expected describes valid values, for errors.
func (s *setting) expected() string {
	switch s.kind {
	case boolSetting:
		return "true or false"
	case textSetting:
		if len(s.words) > 0 {
			return "one of the words " + strings.Join(s.words, ", ")
		}
		return "text"
	case addressSetting:
		return "an IP address"
	case networkSetting:
		return "a network such as 10.0.0.0/8 or 2001:db8::/32"
	}
	text := "a number"
	switch s.kind {
	case intSetting, uintSetting:
		text = "a whole number"
	case durationSetting:
		text = "a duration such as 10s, 250ms or 1m30s"
	}
	switch {
	case s.low != "" && s.high != "":
		text += " from " + s.low + " to " + s.high
	case s.low != "":
		text += ", at least " + s.low
	case s.high != "":
		text += ", at most " + s.high
	}
	return text
}

// parseNetwork reads a network, or an address as the network that has it alone.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var address netip.Addr
		address, err = netip.ParseAddr(text)
		address = address.Unmap()
		network = netip.PrefixFrom(address, address.BitLen())
	}
	if err != nil || network.Addr().Zone() != "" {
		return netip.Prefix{}, errorText(strconv.Quote(text) + " is not a network: expected an address with a number " +
			"of bits, such as 10.0.0.0/8 or 2001:db8::/32, or an address")
	}
	if address := network.Addr(); address.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(address.Unmap(), network.Bits()-96)
	}
	if masked := network.Masked(); masked != network {
		return netip.Prefix{}, errorText(text + " has bits after the first " + strconv.Itoa(network.Bits()) +
			": expected " + masked.String())
	}
	return network, nil
}
