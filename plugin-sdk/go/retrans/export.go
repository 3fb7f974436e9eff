package retrans

import "retrans/internal/link"

func init() {
	link.ExportStateful = func(definition any) { definition.(*Definition).export() }
}
