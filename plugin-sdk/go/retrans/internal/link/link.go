// Package link connects package stateful with package retrans. The exports of a plugin with state are in a package of
// their own: a program that does not import it does not have them.
package link

// These are set by package retrans.
var (
	// ExportStateful exports a *retrans.Definition.
	ExportStateful func(definition any)

	// Save and Restore are called with the plugin of the component.
	Save    func() (version uint32, state []byte, err error)
	Restore func(version uint32, state []byte) error
)
