package retrans

import (
	"bytes"
	"unicode/utf8"
)

// maxTexts bounds the texts that are kept: processes choose their names.
const maxTexts = 4_096

// texts has the strings of the texts that events had, so that reading a name allocates once, not for each event.
var texts = make(map[[16]byte]string)

// getText returns the text up to the first NUL. Bytes that are not UTF-8 are '?', because a process may give itself any
// name; of a character that is cut off at the end there is nothing.
func getText(field []byte) string {
	key := [16]byte(field)
	text, isKnown := texts[key]
	if !isKnown {
		if len(texts) >= maxTexts {
			clear(texts)
		}
		text = decodeText(field)
		texts[key] = text
	}
	return text
}

func decodeText(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	var text []byte
	for len(field) > 0 {
		char, size := utf8.DecodeRune(field)
		switch {
		case char != utf8.RuneError || size > 1:
			text = append(text, field[:size]...)
		case !utf8.FullRune(field):
			return string(text)
		default:
			text = append(text, '?')
		}
		field = field[size:]
	}
	return string(text)
}

// putText writes a text; one of more than 16 bytes is cut off.
func putText(field []byte, value string) {
	clear(field)
	copy(field, value)
}
