package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// What services of a kind are.
const (
	servicesNone    = "none"
	servicesPassive = "passive"
	servicesActive  = "active"
)

// nagiosOrder is what a configuration is made of.
type nagiosOrder struct {
	groupBy, address  string // fields
	verdicts, states  string // one of servicesNone, …
	verdictHost       string
	by                string // path of a fact
	plugin            string
	hostUse, checkUse string
}

// validate refuses what there is not.
func (o nagiosOrder) validate() error {
	for flag, kind := range map[string]string{"--verdicts": o.verdicts, "--services": o.states} {
		if !slices.Contains([]string{servicesNone, servicesPassive, servicesActive}, kind) {
			return usage(fmt.Errorf("%s %s: %s, %s or %s: %w", flag, kind, servicesNone, servicesPassive, servicesActive, fettle.ErrInvalid))
		}
	}
	for _, use := range []string{o.hostUse, o.checkUse} {
		if use != "" && nagios.ObjectName(use) != use {
			return usage(fmt.Errorf("%q is no name of a template in Nagios: %w", use, fettle.ErrInvalid))
		}
	}
	if strings.ContainsAny(o.plugin, "\n;") || o.plugin == "" {
		return usage(fmt.Errorf("--plugin %q is no command line: %w", o.plugin, fettle.ErrInvalid))
	}
	return nil
}

// fields are what the server has to tell of each node.
func (o nagiosOrder) fields() string {
	fields := []string{"facts", "classes", "checks"}
	for _, name := range append(filter.SplitList(o.groupBy), o.address) {
		if name != "" && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	return strings.Join(fields, ",")
}

// objects makes the configuration of nodes and verdicts. skipped are checks that Nagios cannot ask for, and that are passive therefore.
func (o nagiosOrder) objects(nodes []client.NodeItem, verdicts []fettle.Verdict) (out nagios.Objects, skipped []string) {
	out = nagios.Objects{Plugin: o.plugin, HostTemplate: o.hostUse, ServiceTemplate: o.checkUse}
	names := make([]string, len(verdicts))
	for i, v := range verdicts {
		names[i] = v.Check
	}
	if o.verdicts != servicesNone {
		out.VerdictHost = nagios.ObjectName(o.verdictHost)
		out.Verdicts = services(names, o.verdicts)
	}
	for _, s := range out.Verdicts {
		if s.Passive && o.verdicts == servicesActive {
			skipped = append(skipped, s.Check)
		}
	}
	if o.verdicts != servicesNone {
		out.Verdicts = withParts(out.Verdicts, verdicts)
	}
	groups := map[string]*nagios.ObjectGroup{}
	for _, n := range nodes {
		host := o.host(n)
		for _, g := range host.Groups {
			if groups[g] == nil {
				groups[g] = &nagios.ObjectGroup{Name: g, Alias: g}
			}
			groups[g].Hosts = append(groups[g].Hosts, host.Name)
		}
		out.Hosts = append(out.Hosts, host)
	}
	for _, g := range groups {
		slices.Sort(g.Hosts)
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Hosts, func(a, b nagios.ObjectHost) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Groups, func(a, b nagios.ObjectGroup) int { return strings.Compare(a.Name, b.Name) })
	return out, skipped
}

// withParts adds a service for each value of the fact that a verdict is asked by. They are told, whatever the others are: the server has them at hand.
func withParts(all []nagios.ObjectService, verdicts []fettle.Verdict) []nagios.ObjectService {
	taken := map[string]bool{}
	for _, s := range all {
		taken[s.Name] = true
	}
	for _, v := range verdicts {
		for _, part := range v.By {
			name := nagios.PartName(v.Check, part.Value)
			if !taken[name] { // those that fall together are told as one, the worst of them
				all = append(all, nagios.ObjectService{Name: name, Check: v.Check, Passive: true})
			}
			taken[name] = true
		}
	}
	slices.SortFunc(all, func(a, b nagios.ObjectService) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// host makes a host of a node.
func (o nagiosOrder) host(n client.NodeItem) nagios.ObjectHost {
	host := nagios.ObjectHost{Name: nagios.ObjectName(string(n.Identity)), Node: string(n.Identity), Liveness: string(n.Liveness), Facts: map[string]any{}}
	_ = json.Unmarshal(n.Fields["facts"], &host.Facts) // it was JSON for the server; a node without facts has none
	_ = json.Unmarshal(n.Fields["classes"], &host.Classes)
	var states map[string]json.RawMessage
	_ = json.Unmarshal(n.Fields["checks"], &states)
	host.Address = cmp.Or(plainValue(n.Fields[o.address]), host.Node)
	if host.Address == "null" || strings.ContainsAny(host.Address, "{[ \t\n") {
		host.Address = host.Node
	}
	host.Groups = ansibleGroups(n, ansibleOrder{groupBy: o.groupBy})
	if o.states != servicesNone {
		var checks []string
		for check := range states {
			checks = append(checks, check)
		}
		host.Services = services(checks, o.states)
	}
	return host
}

// services makes services of checks, sorted by name.
func services(checks []string, kind string) []nagios.ObjectService {
	slices.Sort(checks)
	var out []nagios.ObjectService
	for i, name := range nagios.UniqueNames(checks) {
		out = append(out, nagios.ObjectService{Name: name, Check: checks[i], Passive: kind == servicesPassive || !nagios.Askable(checks[i])})
	}
	if kind == servicesPassive { // results of checks whose names fall together are told as one, the worst of them
		for i := range out {
			out[i].Name = nagios.ObjectName(out[i].Check)
		}
	}
	slices.SortFunc(out, func(a, b nagios.ObjectService) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b nagios.ObjectService) bool { return a.Name == b.Name })
}
