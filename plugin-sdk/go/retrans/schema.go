package retrans

import "strings"

// schemaOf returns the JSON schema of an object with these settings.
func schemaOf(settings []setting) string {
	var text strings.Builder
	text.WriteString(`{"type":"object","properties":{`)
	var required []string
	for i := range settings {
		s := &settings[i]
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(quoteJSON(s.key) + ":{")
		text.WriteString(s.schema())
		if s.doc != "" {
			text.WriteString(`,"description":` + quoteJSON(s.doc))
		}
		if s.hasDefault {
			text.WriteString(`,"default":` + s.defaultJSON())
		} else {
			required = append(required, quoteJSON(s.key))
		}
		text.WriteByte('}')
	}
	text.WriteByte('}')
	if len(required) > 0 {
		text.WriteString(`,"required":[` + strings.Join(required, ",") + `]`)
	}
	text.WriteString(`,"additionalProperties":false}`)
	return text.String()
}

// schema returns the keywords that restrict the value.
func (s *setting) schema() string {
	one := s.schemaOfOne()
	if s.isList {
		return `"anyOf":[{` + one + `},{"type":"array","items":{` + one + `}}]`
	}
	return one
}

func (s *setting) schemaOfOne() string {
	switch s.kind {
	case boolSetting:
		return `"type":"boolean"`
	case intSetting, uintSetting, floatSetting:
		text := `"type":"integer"`
		if s.kind == floatSetting {
			text = `"type":"number"`
		}
		if s.low != "" {
			text += `,"minimum":` + s.low
		}
		if s.high != "" {
			text += `,"maximum":` + s.high
		}
		return text
	case durationSetting:
		return `"type":"string","pattern":"^\\s*(0|([0-9.]+\\s*[a-zA-Zµ]+\\s*)+)$","examples":["10s","250ms","1m30s"]`
	case addressSetting:
		return `"type":"string","format":"ip"`
	case networkSetting:
		return `"type":"string","pattern":"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$","examples":["10.0.0.0/8","2001:db8::/32"]`
	}
	if len(s.words) == 0 {
		return `"type":"string"`
	}
	words := make([]string, len(s.words))
	for i, word := range s.words {
		words[i] = quoteJSON(word)
	}
	return `"type":"string","enum":[` + strings.Join(words, ",") + `]`
}

func (s *setting) defaultJSON() string {
	if !s.isList {
		return s.tagValue(s.standard).json()
	}
	if s.standard == "" {
		return "[]"
	}
	texts := strings.Split(s.standard, ",")
	for i, text := range texts {
		texts[i] = s.tagValue(text).json()
	}
	return "[" + strings.Join(texts, ",") + "]"
}
