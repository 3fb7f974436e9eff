package retrans

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A small reader of JSON for settings. encoding/json would add 2 MB to each plugin, and numbers are kept as text here:
// none is rounded.

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonText
	jsonList
	jsonObject
)

// maxDepth bounds the recursion.
const maxDepth = 64

// jsonValue is a value. Bools and numbers have their JSON text. An object has as many keys as items.
type jsonValue struct {
	kind  jsonKind
	text  string
	items []jsonValue
	keys  []string
}

// member returns the value of a key of an object: the last one, if there are several.
func (v jsonValue) member(key string) (value jsonValue, ok bool) {
	for i, known := range v.keys {
		if known == key {
			value, ok = v.items[i], true
		}
	}
	return value, ok
}

// json returns a value without parts as JSON.
func (v jsonValue) json() string {
	if v.kind == jsonText {
		return quoteJSON(v.text)
	}
	return v.text
}

// String describes the value, for errors.
func (v jsonValue) String() string {
	switch v.kind {
	case jsonNull:
		return "null"
	case jsonList:
		return "a list"
	case jsonObject:
		return "an object"
	}
	return v.json()
}

func quoteJSON(text string) string {
	quoted := []byte{'"'}
	for _, char := range text {
		switch {
		case char == '"' || char == '\\':
			quoted = append(quoted, '\\', byte(char))
		case char < 0x20:
			const digits = "0123456789abcdef"
			quoted = append(quoted, '\\', 'u', '0', '0', digits[char>>4], digits[char&15])
		default:
			quoted = utf8.AppendRune(quoted, char)
		}
	}
	return string(append(quoted, '"'))
}

// parseJSON reads a whole text.
func parseJSON(text string) (jsonValue, error) {
	p := jsonParser{text: text}
	value, err := p.value(0)
	if err != nil {
		return value, err
	}
	if p.skipSpace(); p.at < len(p.text) {
		return value, p.error("there is more than one value")
	}
	return value, nil
}

type jsonParser struct {
	text string
	at   int
}

func (p *jsonParser) error(why string) error {
	return errorText(why + ", at byte " + strconv.Itoa(p.at))
}

func (p *jsonParser) skipSpace() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// next skips spaces, and the character if it comes next.
func (p *jsonParser) next(char byte) bool {
	p.skipSpace()
	if p.at < len(p.text) && p.text[p.at] == char {
		p.at++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) (jsonValue, error) {
	if depth > maxDepth {
		return jsonValue{}, p.error("the value is too deep")
	}
	switch {
	case p.next('{'):
		return p.parts(jsonObject, '}', depth)
	case p.next('['):
		return p.parts(jsonList, ']', depth)
	case p.next('"'):
		text, err := p.string()
		return jsonValue{kind: jsonText, text: text}, err
	}
	start := p.at
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n,]}", p.text[p.at]) < 0 {
		p.at++
	}
	word := p.text[start:p.at]
	switch word {
	case "null":
		return jsonValue{kind: jsonNull, text: word}, nil
	case "true", "false":
		return jsonValue{kind: jsonBool, text: word}, nil
	}
	if _, err := strconv.ParseFloat(word, 64); err != nil || strings.Trim(word, "0123456789+-.eE") != "" {
		return jsonValue{}, p.error("expected a value")
	}
	return jsonValue{kind: jsonNumber, text: word}, nil
}

// parts reads the parts of a list or an object, and its end.
func (p *jsonParser) parts(kind jsonKind, end byte, depth int) (jsonValue, error) {
	whole := jsonValue{kind: kind}
	if p.next(end) {
		return whole, nil
	}
	for {
		if kind == jsonObject {
			if !p.next('"') {
				return whole, p.error("expected a key")
			}
			key, err := p.string()
			if err != nil {
				return whole, err
			}
			if !p.next(':') {
				return whole, p.error("expected a colon")
			}
			whole.keys = append(whole.keys, key)
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return whole, err
		}
		whole.items = append(whole.items, item)
		if p.next(end) {
			return whole, nil
		}
		if !p.next(',') {
			return whole, p.error("expected a comma")
		}
	}
}

// string reads a text after its first quotation mark.
func (p *jsonParser) string() (string, error) {
	var text []byte
	for p.at < len(p.text) {
		char := p.text[p.at]
		p.at++
		switch {
		case char == '"':
			return string(text), nil
		case char != '\\':
			text = append(text, char)
		case p.at == len(p.text):
		default:
			escaped := p.text[p.at]
			p.at++
			if escaped == 'u' {
				text = utf8.AppendRune(text, p.escapedRune())
			} else if i := strings.IndexByte(`"\/bfnrt`, escaped); i >= 0 {
				text = append(text, "\"\\/\b\f\n\r\t"[i])
			} else {
				return "", p.error("unknown escape")
			}
		}
	}
	return "", p.error("the text has no end")
}

// escapedRune reads the digits after \u, and the second half of a pair.
func (p *jsonParser) escapedRune() rune {
	char := p.hex()
	if utf16.IsSurrogate(char) && strings.HasPrefix(p.text[p.at:], `\u`) {
		p.at += 2
		return utf16.DecodeRune(char, p.hex())
	}
	return char
}

func (p *jsonParser) hex() rune {
	if p.at+4 > len(p.text) {
		p.at = len(p.text)
		return utf8.RuneError
	}
	digits := p.text[p.at : p.at+4]
	p.at += 4
	char, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(char)
}
