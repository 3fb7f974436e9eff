package retrans

import "runtime/debug"

// memoryLimit is from where on the collector runs more often. The host gives a plugin 64 MiB by default, of which
// code and data of the program need about 5: without it a heap of 30 MiB would grow to 60 before a collection.
const memoryLimit = 48 << 20

// tuneCollector sets what suits a plugin, before its settings are read: it may set something else. The share of garbage
// at which the collector runs stays at Go's default: larger ones cost memory, and saved no time that could be measured.
func tuneCollector() {
	debug.SetMemoryLimit(memoryLimit)
}
