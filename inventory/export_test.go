package inventory

// NewTight gives an inventory whose limits are so low that a few hundred nodes reach every form that columns and shards take.
func NewTight() *Inventory {
	return newInventory(&limits{shard: 128, sparse: 4, narrow: 8, coded: 16, long: 6, warm: 20, scan: 1})
}
