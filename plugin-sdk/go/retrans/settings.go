package retrans

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A setting is one field of the struct of settings, read once from its tags.
type setting struct {
	key   string
	doc   string
	index int
	// kind is the type of the value, or of the elements of a list.
	kind   settingKind
	isList bool
	// size is the size of a number in bits.
	size int
	// standard is the default in the form of the tag; the setting is required if hasDefault is false.
	standard   string
	hasDefault bool
	// low and high are bounds in the form of the tag, "" without one.
	low, high string
	words     []string
}

type settingKind uint8

const (
	boolSetting settingKind = iota
	intSetting
	uintSetting
	floatSetting
	textSetting
	durationSetting
	addressSetting
	networkSetting
)

var settingTypes = map[reflect.Type]settingKind{
	reflect.TypeFor[time.Duration](): durationSetting,
	reflect.TypeFor[netip.Addr]():    addressSetting,
	reflect.TypeFor[netip.Prefix]():  networkSetting,
}

// describeSettings reads the tags of a struct.
func describeSettings[S any]() ([]setting, error) {
	of := reflect.TypeFor[S]()
	if of.Kind() != reflect.Struct {
		return nil, errorText("settings must be a struct, not " + of.String())
	}
	var settings []setting
	for i := range of.NumField() {
		field := of.Field(i)
		s, err := describeSetting(field)
		if err == nil {
			// The default must be a valid value.
			s.index = i
			err = s.setDefault(reflect.New(of).Elem())
		}
		if err != nil {
			return nil, errorText(of.String() + "." + field.Name + ": " + err.Error())
		}
		settings = append(settings, s)
	}
	return settings, nil
}

func describeSetting(field reflect.StructField) (setting, error) {
	s := setting{key: field.Tag.Get("retrans"), doc: field.Tag.Get("doc")}
	if s.key == "" {
		return s, errorText("the tag `retrans:\"KEY\"` with the name of the setting is missing")
	}
	if !field.IsExported() {
		return s, errorText("the field must be exported")
	}
	s.low, s.high = field.Tag.Get("min"), field.Tag.Get("max")
	if words := field.Tag.Get("words"); words != "" {
		s.words = strings.Split(words, ",")
	}
	s.standard, s.hasDefault = field.Tag.Lookup("default")
	of := field.Type
	if of.Kind() == reflect.Slice {
		s.isList, of = true, of.Elem()
	}
	kind, isKnown := settingTypes[of]
	if !isKnown {
		switch of.Kind() {
		case reflect.Bool:
			kind = boolSetting
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			kind, s.size = intSetting, of.Bits()
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			kind, s.size = uintSetting, of.Bits()
		case reflect.Float32, reflect.Float64:
			kind, s.size = floatSetting, of.Bits()
		case reflect.String:
			kind = textSetting
		default:
			return s, errorText("a setting cannot have the type " + field.Type.String())
		}
	}
	s.kind = kind
	return s, s.completeBounds()
}

// completeBounds checks the bounds, and gives integers those of their type.
func (s *setting) completeBounds() error {
	switch s.kind {
	case intSetting:
		if s.low == "" {
			s.low = strconv.FormatInt(-1<<(s.size-1), 10)
		}
		if s.high == "" {
			s.high = strconv.FormatInt(1<<(s.size-1)-1, 10)
		}
	case uintSetting:
		if s.low == "" {
			s.low = "0"
		}
		if s.high == "" {
			s.high = strconv.FormatUint(1<<s.size-1, 10)
		}
	case floatSetting, durationSetting:
	default:
		if s.low != "" || s.high != "" {
			return errorText("only numbers and durations have bounds")
		}
		return nil
	}
	for _, bound := range []string{s.low, s.high} {
		if _, err := s.parseNumber(bound); bound != "" && err != nil {
			return errorText("bound " + strconv.Quote(bound) + ": " + err.Error())
		}
	}
	return nil
}

// setDefault gives the field its default.
func (s *setting) setDefault(to reflect.Value) error {
	if !s.hasDefault || s.isList && s.standard == "" {
		return nil
	}
	texts := []string{s.standard}
	if s.isList {
		texts = strings.Split(s.standard, ",")
	}
	values := make([]jsonValue, len(texts))
	for i, text := range texts {
		values[i] = s.tagValue(text)
	}
	if s.isList {
		return s.set(to, jsonValue{kind: jsonList, items: values})
	}
	return s.set(to, values[0])
}

// tagValue returns what a user would write for the text of a tag.
func (s *setting) tagValue(text string) jsonValue {
	switch s.kind {
	case intSetting, uintSetting, floatSetting:
		return jsonValue{kind: jsonNumber, text: text}
	case boolSetting:
		return jsonValue{kind: jsonBool, text: text}
	default:
		return jsonValue{kind: jsonText, text: text}
	}
}

// readSettings reads settings from a JSON object.
func readSettings(json string, settings []setting, to any) error {
	object, err := parseJSON(json)
	if err != nil {
		return errorText("the settings are not valid JSON: " + err.Error())
	}
	if object.kind != jsonObject {
		return errorText("the settings are not a JSON object")
	}
	fields := reflect.ValueOf(to).Elem()
	for i := range settings {
		s := &settings[i]
		given, isGiven := object.member(s.key)
		if !isGiven && !s.hasDefault {
			return errorText(s.key + ": the setting is missing, and has no default")
		}
		if isGiven {
			err = s.set(fields, given)
		} else {
			err = s.setDefault(fields)
		}
		if err != nil {
			return errorText(s.key + ": " + err.Error())
		}
	}
	for _, key := range object.keys {
		if !isSetting(settings, key) {
			return errorText(key + ": there is no such setting; there are: " + keysOf(settings))
		}
	}
	return nil
}

func isSetting(settings []setting, key string) bool {
	for i := range settings {
		if settings[i].key == key {
			return true
		}
	}
	return false
}

func keysOf(settings []setting) string {
	keys := make([]string, len(settings))
	for i := range settings {
		keys[i] = settings[i].key
	}
	return strings.Join(keys, ", ")
}
