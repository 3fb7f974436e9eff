package retrans

// Has returns whether all of these flags are set.
func (f TCPFlags) Has(flags TCPFlags) bool {
	return f&flags == flags
}

// String returns the names joined by "|", as in "PSH|ACK"; bits without a name are left out.
func (f TCPFlags) String() string {
	text := ""
	for _, known := range flagNames {
		if f.Has(known.flag) {
			if text != "" {
				text += "|"
			}
			text += known.name
		}
	}
	return text
}
