package filter

import (
	"github.com/google/cel-go/cel"

	"github.com/fettle-dev/fettle"
)

// Record is what a program may know of one node. A name whose field is the zero value is absent: `seen` of a node that was never seen makes a
// filter undefined; lists and maps are empty instead. The zero Record is a node of which nothing is known.
type Record struct {
	Identity fettle.NodeID
	Facts    Object // nil: an empty document
	Classes  []string
	Agent    *fettle.AgentInfo    // nil: an empty map
	Checks   map[string]CheckView // by the check's name
	Now      fettle.Millis        // zero: `now` is absent
	Pools    []string             //
	Labels   map[string]string    //
	Liveness fettle.Liveness      // empty: absent
	Seen     fettle.Millis        // zero: absent
	Enrolled fettle.Millis        // zero: absent
	Vars     map[string]any       // names of the environments beside Node and OnNode: user, action, inputs; ok, total…; context, steps
}

// CheckView is a check's state on one node, as a filter sees it: checks.check_load.status.
type CheckView struct {
	Status fettle.CheckStatus
	Since  fettle.Millis
	Output string
}

// Names gives a program what it asks of a node, by a name of its environment. A value is as Object has them, or a map[string]any, map[string]string,
// []string, time.Time; ok is false where the node does not have it. A *Record is one.
type Names interface {
	Name(name string) (value any, ok bool)
}

// activation lets a program read names. It converts only what is asked for.
type activation struct{ names Names }

func (a activation) Parent() cel.Activation { return nil }

// ResolveName gives the value of a name of the environment.
func (a activation) ResolveName(name string) (any, bool) {
	v, ok := a.names.Name(name)
	if !ok {
		return nil, false
	}
	return toValue(v), true
}

// Name gives what the record knows under a name.
func (r *Record) Name(name string) (any, bool) {
	switch name {
	case "facts":
		return newObject(r.Facts), true
	case "identity":
		return string(r.Identity), r.Identity != ""
	case "classes":
		return r.Classes, true
	case "agent":
		return AgentObject(r.Agent), true
	case "checks":
		return ChecksObject(r.Checks), true
	case "now":
		return moment(r.Now)
	case "pools":
		return r.Pools, true
	case "labels":
		return r.Labels, true
	case "liveness":
		return string(r.Liveness), r.Liveness != ""
	case "seen":
		return moment(r.Seen)
	case "enrolled":
		return moment(r.Enrolled)
	}
	v, ok := r.Vars[name]
	return v, ok
}

func moment(m fettle.Millis) (any, bool) {
	if m == 0 {
		return nil, false
	}
	return m.Time(), true
}

// AgentObject shows what an agent says of itself as filters see it under `agent`; nil is an empty object.
func AgentObject(a *fettle.AgentInfo) Object {
	if a == nil {
		return Map(nil)
	}
	return Map{"version": a.Version, "os": a.OS, "arch": a.Arch, "plugins": a.Plugins, "collective": a.Collective, "running": a.Running}
}

// ChecksObject shows check states as filters see them under `checks`.
func ChecksObject(checks map[string]CheckView) Object { return checksObject(checks) }

// checksObject is check states as an object of objects.
type checksObject map[string]CheckView

func (c checksObject) Len() int       { return len(c) }
func (c checksObject) Keys() []string { return sortedKeys(c) }
func (c checksObject) Get(key string) (any, bool) {
	v, ok := c[key]
	if !ok {
		return nil, false
	}
	m := Map{"status": string(v.Status), "output": v.Output}
	if v.Since != 0 {
		m["since"] = v.Since.Time()
	}
	return m, true
}
