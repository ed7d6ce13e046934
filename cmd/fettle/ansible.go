package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/server/api/client"
)

// ansibleOrder is what an inventory is made of.
type ansibleOrder struct {
	groupBy string // fields, with commas between
	address string // a field; empty: the name is the address
}

// fields are what the server has to tell of each node.
func (o ansibleOrder) fields() string {
	fields := []string{"facts", "classes"}
	for _, name := range append(filter.SplitList(o.groupBy), o.address) {
		if name != "" && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	return strings.Join(fields, ",")
}

func (a *app) ansibleCommand() *cobra.Command {
	var (
		m    aim
		o    ansibleOrder
		list bool
		host string
	)
	cmd := &cobra.Command{
		Use: "ansible-inventory [FILTER]", Short: "the nodes that a filter matches, as an inventory of Ansible", GroupID: groupBridge,
		Long: `Prints what Ansible wants of a dynamic inventory. Each class is a group (class_apache__server), and so is each value of a field of --group-by
(os_family_Debian); what a group's name may not hold becomes an underscore. Facts are the variable "fettle" (fettle.os.family), beside it stand
fettle_classes and fettle_liveness. Text from a node never reaches Ansible as a template.

Ansible runs a script of yours that says which filter and which groups; examples/ansible has one.`,
		Example: `  fettle ansible-inventory --list -W environment=production --group-by os.family,environment
  fettle ansible-inventory --list 'liveness == "alive"' --address networking.ip
  fettle ansible-inventory --host web1.acme.net`,
		Args: takes("FILTER?"), ValidArgsFunction: a.namesOf(0, savedNames),
	}
	a.aimFlags(cmd, &m)
	f := cmd.Flags()
	f.BoolVar(&list, "list", false, "all groups and hosts, with their variables")
	f.StringVar(&host, "host", "", "the variables of one `NODE`")
	f.StringVar(&o.groupBy, "group-by", "os.family", "`FIELDS` whose values are groups: fact paths and CEL, with commas between")
	f.StringVar(&o.address, "address", "", "ansible_host is this fact `PATH`, where a node has it")
	flagNames(cmd, map[string]complete{"host": a.namesOf(-1, nodeNames), "group-by": a.namesOf(-1, fieldNames), "address": a.namesOf(-1, pathNames)})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if list == (host != "") {
			return usage(fmt.Errorf("one of --list and --host: %w", fettle.ErrInvalid))
		}
		where, err := m.filter(cmd.Context(), args, false)
		if err != nil {
			return err
		}
		if host != "" && where != "" {
			return usage(fmt.Errorf("--host and a filter exclude each other: %w", fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if host != "" {
			return a.ansibleHost(cmd.Context(), c, host, o)
		}
		found, err := find(cmd.Context(), c, question{where: where, fields: o.fields()})
		if err != nil {
			return err
		}
		inventory, err := ansibleInventory(found.Nodes, o)
		if err != nil {
			return err
		}
		return printJSON(a.stdout, inventory)
	}
	return cmd
}

// ansibleHost prints the variables of one node.
func (a *app) ansibleHost(ctx context.Context, c *client.API, name string, o ansibleOrder) error {
	id, err := fettle.ParseNodeID(name)
	if err != nil {
		return usage(err)
	}
	found, err := find(ctx, c, question{where: fettle.Filter(fmt.Sprintf("identity == %q", id)), fields: o.fields()})
	if err != nil {
		return err
	}
	if len(found.Nodes) == 0 {
		return unknownNode(ctx, c, id, fmt.Errorf("there is no node %s: %w", id, fettle.ErrNotFound))
	}
	vars, err := ansibleVars(found.Nodes[0], o)
	if err != nil {
		return err
	}
	return printJSON(a.stdout, vars)
}

// ansibleGroup is a group, as Ansible reads it.
type ansibleGroup struct {
	Hosts    []fettle.NodeID `json:"hosts,omitempty"`
	Children []string        `json:"children,omitempty"`
}

// ansibleInventory gives all groups, and the variables of all nodes under _meta, so that Ansible asks once.
func ansibleInventory(nodes []client.NodeItem, o ansibleOrder) (map[string]any, error) {
	groups := map[string]*ansibleGroup{}
	vars := make(map[fettle.NodeID]any, len(nodes))
	everybody := make([]fettle.NodeID, 0, len(nodes))
	for _, n := range nodes {
		own, err := ansibleVars(n, o)
		if err != nil {
			return nil, err
		}
		vars[n.Identity] = own
		everybody = append(everybody, n.Identity)
		for _, name := range ansibleGroups(n, o) {
			if groups[name] == nil {
				groups[name] = &ansibleGroup{}
			}
			groups[name].Hosts = append(groups[name].Hosts, n.Identity)
		}
	}
	out := map[string]any{"_meta": map[string]any{"hostvars": vars}}
	names := make([]string, 0, len(groups))
	for name, group := range groups {
		out[name] = group
		names = append(names, name)
	}
	slices.Sort(names)
	out["all"] = ansibleGroup{Hosts: everybody, Children: names}
	return out, nil
}

// ansibleVars gives a node's variables.
func ansibleVars(n client.NodeItem, o ansibleOrder) (map[string]any, error) {
	vars := map[string]any{"fettle": map[string]any{}, "fettle_classes": []any{}, "fettle_liveness": string(n.Liveness)}
	for field, name := range map[string]string{"facts": "fettle", "classes": "fettle_classes"} {
		if raw := n.Fields[field]; len(raw) > 0 {
			v, err := decodeAny(raw)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", field, n.Identity, err)
			}
			vars[name] = harmless(v)
		}
	}
	if address := plainValue(n.Fields[o.address]); o.address != "" && address != "" {
		vars["ansible_host"] = harmless(address)
	}
	return vars, nil
}

func decodeAny(raw json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// Keys by which Ansible's JSON says what a value is.
const (
	ansibleKeys   = "__ansible_"
	ansibleUnsafe = ansibleKeys + "unsafe"
)

// harmless marks text that Ansible could take for a template: what a node says is data, and must not run on the machine that asks. Keys that
// mean something to Ansible are left out.
func harmless(v any) any {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "{") {
			return map[string]any{ansibleUnsafe: v}
		}
	case []any:
		for i := range v {
			v[i] = harmless(v[i])
		}
	case map[string]any:
		for key, inner := range v {
			if strings.HasPrefix(key, ansibleKeys) {
				delete(v, key)
				continue
			}
			v[key] = harmless(inner)
		}
	}
	return v
}

// ansibleGroups gives the names of the groups that a node is in, sorted, no two alike.
func ansibleGroups(n client.NodeItem, o ansibleOrder) (names []string) {
	add := func(prefix string, raw json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			list = []json.RawMessage{raw}
		}
		for _, value := range list {
			if text := plainValue(value); text != "" && text != "null" && !strings.HasPrefix(text, "{") {
				names = append(names, groupName(prefix+"_"+text))
			}
		}
	}
	add("class", n.Fields["classes"])
	for _, field := range filter.SplitList(o.groupBy) {
		add(strings.TrimPrefix(field, "facts."), n.Fields[field])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// groupName writes a name as Ansible allows it: letters, digits and underscores, and no digit first.
func groupName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, text)
	if name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}
