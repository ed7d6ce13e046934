package inventory

import (
	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// metaNames is a node beside its facts, as a filter asks for it.
type metaNames struct{ m *meta }

// Name gives what a name of the environment stands for.
func (n metaNames) Name(name string) (any, bool) {
	m := n.m
	switch name {
	case "identity":
		return string(m.id), true
	case "classes":
		return m.classes.value, true
	case "agent":
		return filter.AgentObject(&m.agent.value), true
	case "checks":
		return filter.ChecksObject(m.checks), true
	case "pools":
		return m.pools.value, true
	case "labels":
		return m.labels.value, true
	case "liveness":
		return string(m.liveness), m.liveness != ""
	case "seen":
		return m.seen.Time(), m.seen != 0
	case "enrolled":
		return m.enrolled.Time(), m.enrolled != 0
	}
	return nil, false
}

// nodeNames is the node at a place, as a filter asks for it. The shard's lock is held as long as it is used.
type nodeNames struct {
	metaNames
	sh   *shard
	slot int
	root *pathNode
	now  fettle.Millis
}

func (v *Inventory) names(sh *shard, slot int, now fettle.Millis) *nodeNames {
	return &nodeNames{metaNames: metaNames{sh.metas[slot]}, sh: sh, slot: slot, root: v.trie.root, now: now}
}

// Name gives what a name of the environment stands for.
func (n *nodeNames) Name(name string) (any, bool) {
	switch name {
	case "facts":
		return factObject{n, n.root}, true
	case "now":
		return n.now.Time(), n.now != 0
	}
	return n.metaNames.Name(name)
}

// factObject is an object of a node's facts, read from the columns.
type factObject struct {
	n  *nodeNames
	at *pathNode
}

var _ filter.Object = factObject{}

// Get gives the value under key.
func (o factObject) Get(key string) (any, bool) {
	kid := o.at.kid(key)
	if kid == nil {
		return nil, false
	}
	v := o.n.sh.columns[kid].get(o.n.slot)
	switch v.kind {
	case absent:
		return nil, false
	case object:
		return factObject{o.n, kid}, true
	}
	return v.any(), true
}

// Keys gives all keys in byte order.
func (o factObject) Keys() []string {
	s := o.n.m.shape
	if s == nil {
		return nil
	}
	out := []string{}
	for _, k := range s.nodes {
		if k.parent == o.at {
			out = append(out, k.key)
		}
	}
	return out
}

// Len gives the number of keys.
func (o factObject) Len() int { return len(o.Keys()) }
