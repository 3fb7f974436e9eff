package retrans

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// units are the units of a duration, as retrans-host reads them everywhere. time.ParseDuration knows no days, no spaces
// and no long names.
var units = map[string]time.Duration{
	"nanos": 1, "nsec": 1, "ns": 1,
	"usec": time.Microsecond, "us": time.Microsecond, "µs": time.Microsecond,
	"millis": time.Millisecond, "msec": time.Millisecond, "ms": time.Millisecond,
	"seconds": time.Second, "second": time.Second, "secs": time.Second, "sec": time.Second, "s": time.Second,
	"minutes": time.Minute, "minute": time.Minute, "mins": time.Minute, "min": time.Minute, "m": time.Minute,
	"hours": time.Hour, "hour": time.Hour, "hrs": time.Hour, "hr": time.Hour, "h": time.Hour,
	"days": day, "day": day, "d": day,
	"weeks": 7 * day, "week": 7 * day, "wks": 7 * day, "wk": 7 * day, "w": 7 * day,
	"months": month, "month": month, "M": month,
	"years": year, "year": year, "yrs": year, "yr": year, "y": year,
}

const (
	day   = 24 * time.Hour
	month = 2_630_016 * time.Second
	year  = 31_557_600 * time.Second
)

// ParseDuration reads a duration in the form of settings, such as "10s", "250ms", "1m30s" or "1h 30m". A duration has
// at most 292 years.
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	wrong := errorText(strconv.Quote(text) + ` is not a duration such as "10s", "250ms" or "1m30s"`)
	sum := uint64(0)
	rest := strings.TrimLeftFunc(text, unicode.IsSpace)
	if rest == "" {
		return 0, wrong
	}
	for rest != "" {
		var number, unit string
		number, rest = splitAt(rest, func(char rune) bool { return char != '.' && (char < '0' || char > '9') })
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		unit, rest = splitAt(rest, func(char rune) bool { return char != 'µ' && !isLetter(char) })
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		nanos, ok := nanosOf(number, uint64(units[unit]))
		if !ok || nanos > math.MaxInt64-sum {
			return 0, wrong
		}
		sum += nanos
	}
	return time.Duration(sum), nil
}

func isLetter(char rune) bool {
	return char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z'
}

// splitAt splits a text before the first character of this kind.
func splitAt(text string, isEnd func(rune) bool) (before, after string) {
	if end := strings.IndexFunc(text, isEnd); end >= 0 {
		return text[:end], text[end:]
	}
	return text, ""
}

// nanosOf returns a number of units in nanoseconds. It is false for an unknown unit, which has 0, for a number that is
// not valid or too large, and for a part of a nanosecond.
func nanosOf(number string, unit uint64) (uint64, bool) {
	whole, fraction, hasPoint := strings.Cut(number, ".")
	count, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || unit == 0 || count > math.MaxInt64/unit {
		return 0, false
	}
	nanos := count * unit
	if !hasPoint {
		return nanos, true
	}
	if fraction == "" || len(fraction) > 18 {
		return 0, false
	}
	part, err := strconv.ParseUint(fraction, 10, 64)
	if err != nil {
		return 0, false
	}
	for range fraction {
		if unit%10 == 0 {
			unit /= 10
		} else if part%10 == 0 {
			part /= 10
		} else {
			return 0, false
		}
	}
	if part > 0 && unit > math.MaxInt64/part {
		return 0, false
	}
	return nanos + part*unit, true
}
