package retrans

// About describes a plugin to operators.
type About struct {
	Name    string
	Version string
	Summary string
}

// Definition is a plugin that can be created: what [Define] returns.
type Definition struct {
	about      About
	schema     string
	isStateful bool
	create     func(settings string) (Plugin, error)
}

// Define defines a plugin. The function creates an instance from the settings: a struct whose fields have tags.
//
//	type settings struct {
//		Port     uint16         `retrans:"port" default:"443" min:"1" doc:"Port of the service."`
//		Hold     time.Duration  `retrans:"hold" default:"1m30s" doc:"How long to wait."`
//		Networks []netip.Prefix `retrans:"networks" default:"" doc:"One network, or a list of them."`
//		Key      string         `retrans:"key" default:"peer" words:"peer,port" doc:"What to count by."`
//	}
//
// A field may be an integer, a float, a bool, a string, a [time.Duration], a [netip.Addr] or a [netip.Prefix], or a
// slice of one of these, for which the user gives one value or a list. A setting without a default is required.
// A plugin without settings has an empty struct. Bounds of a duration are durations: `min:"1s"`.
//
// Define panics if the struct or a tag is not valid: `go test` shows it.
func Define[S any, P Plugin](about About, create func(S) (P, error)) *Definition {
	fields, err := describeSettings[S]()
	if err != nil {
		panic("retrans.Define: " + err.Error())
	}
	var none P
	_, isStateful := any(none).(Stateful)
	return &Definition{
		about:      about,
		schema:     schemaOf(fields),
		isStateful: isStateful,
		create: func(json string) (Plugin, error) {
			var settings S
			if err := readSettings(json, fields, &settings); err != nil {
				return nil, err
			}
			return create(settings)
		},
	}
}

// About returns the description of the plugin.
func (d *Definition) About() About {
	return d.about
}

// Schema returns the JSON schema of the settings, which the host enforces.
func (d *Definition) Schema() string {
	return d.schema
}

// IsStateful returns whether instances of the plugin implement [Stateful].
func (d *Definition) IsStateful() bool {
	return d.isStateful
}

// exported is the plugin of this program.
var exported *Definition

// Export makes this the plugin of the program. Call it in a function init; main is never called. A plugin with state is
// exported by package stateful instead.
func (d *Definition) Export() {
	if d.isStateful {
		panic("retrans: the plugin " + d.about.Name + " has state: import retrans/stateful, and call stateful.Export")
	}
	d.export()
}

func (d *Definition) export() {
	if exported != nil {
		panic("retrans: a program has one plugin, but " + exported.about.Name + " and " + d.about.Name + " are exported")
	}
	exported = d
}
