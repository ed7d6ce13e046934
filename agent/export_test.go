package agent

import "github.com/fettle-dev/fettle/wire"

// OnDisk has ledger and spool open their files so.
func (c *Config) OnDisk(open wire.OpenFunc) { c.open = open }
