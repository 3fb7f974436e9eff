// Package stateful exports a plugin with state: one that implements [retrans.Stateful].
package stateful

import (
	"retrans"
	"retrans/internal/link"
)

// Export makes this the plugin of the program, as [retrans.Definition.Export] does for plugins without state.
func Export(definition *retrans.Definition) {
	if !definition.IsStateful() {
		panic("retrans: the plugin " + definition.About().Name + " has no state: it lacks the methods of retrans.Stateful")
	}
	link.ExportStateful(definition)
}
