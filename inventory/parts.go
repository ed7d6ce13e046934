package inventory

import (
	"context"
	"fmt"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// EachValue gives every node that q's filter matches, with what stands at a path of its facts: a text as it is, all else in JSON. has is false
// where there is nothing. give is called under a lock, and must not ask the inventory.
func (v *Inventory) EachValue(ctx context.Context, q Query, path fettle.Path, give func(id fettle.NodeID, value string, has bool)) error {
	h, err := v.ask(ctx, q, false)
	if err != nil {
		return err
	}
	defer h.done()
	n, at := 0, v.trie.find(path)
	h.each(func(sh *shard, slot int) bool {
		x, plain := v.valueAt(sh, slot, at)
		text, has := textOf(x, plain)
		give(sh.metas[slot].id, text, has)
		n++
		return n&1023 != 0 || ctx.Err() == nil
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the inventory: %w", err)
	}
	return nil
}

// ValueOf gives what stands at a path of a node's facts, as EachValue does.
func (v *Inventory) ValueOf(id fettle.NodeID, path fettle.Path) (value string, has bool) {
	at := v.trie.find(path)
	v.seeNode(id, func(sh *shard, slot int) {
		x, plain := v.valueAt(sh, slot, at)
		value, has = textOf(x, plain)
	})
	return value, has
}

func textOf(x value, plain any) (string, bool) {
	if x.kind == absent {
		return "", false
	}
	if plain == nil {
		plain = filter.Plain(x.any())
	}
	if s, ok := plain.(string); ok {
		return string(append([]byte(nil), s...)), true // of its own: the index writes over its texts
	}
	return string(filter.AppendJSON(nil, plain)), true
}
