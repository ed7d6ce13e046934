package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/plugins"
)

// actionUpgrade is the built-in action that has agents become another version.
const actionUpgrade = "agent.upgrade"

// fetchSlack is what a run's nodes get beyond an action's timeout when some of them have to fetch its plugin first.
const fetchSlack = 30 * time.Second

// Actions gives every action that can be run, by name: those that came with the agents, and those of the plugins that were pushed.
func (s *Server) Actions(context.Context) []plugins.Action {
	all := plugins.Builtin()
	if s.Catalogue != nil {
		all = append(all, s.Catalogue.Actions()...)
	}
	slices.SortFunc(all, func(a, b plugins.Action) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// action gives the manifest of an action that can be run. ErrNotFound names the actions that there are.
func (s *Server) action(name string) (plugins.Action, error) {
	action, err := plugins.Lookup(name)
	if err == nil || s.Catalogue == nil {
		return action, err
	}
	use, fault := s.Catalogue.Action(name)
	if fault == nil {
		return use.Action, nil
	}
	if !errors.Is(fault, fettle.ErrNotFound) {
		return action, fault
	}
	var names []string
	for _, a := range s.Catalogue.Actions() {
		names = append(names, a.Name)
	}
	if len(names) > 0 {
		err = fmt.Errorf("of plugins there are %v; %w", names, err)
	}
	return action, err
}

// pluginOf gives the version of the plugin whose action a run asks; nil: it came with the agents. What agent.upgrade works with is a version of the agent.
func (s *Server) pluginOf(action string, inputs map[string]any) (*fettle.PluginRef, error) {
	if action == actionUpgrade {
		version, _ := inputs["version"].(string)
		if s.Catalogue == nil || len(s.Catalogue.AgentVersions(version)) == 0 {
			return nil, fmt.Errorf("there is no version %s of the agent here; fettle agent-release push brings it: %w", version, fettle.ErrNotFound)
		}
		return &fettle.PluginRef{Name: catalogue.AgentName, Version: version}, nil
	}
	if _, err := plugins.Lookup(action); err == nil || s.Catalogue == nil {
		return nil, nil
	}
	use, err := s.Catalogue.Action(action)
	if err != nil {
		return nil, err
	}
	return &use.Ref, nil
}

// slackFor gives what nodes get beyond the timeout to answer: more, when some of them have to fetch first what they are asked to run.
func (s *Server) slackFor(ref *fettle.PluginRef, nodes []fettle.NodeID) time.Duration {
	if ref == nil {
		return answerSlack
	}
	for _, id := range nodes {
		if n, known := s.Inventory.Brief(id); known && n.Agent.Plugins[ref.Name] != ref.Version {
			return answerSlack + fetchSlack
		}
	}
	return answerSlack
}

// fits gives what tells why a node cannot be asked an action, because of what the node is; nil: every node can.
func (s *Server) fits(action string, inputs map[string]any) func(ctx context.Context, id fettle.NodeID, names filter.Names) string {
	if s.Catalogue == nil {
		return nil
	}
	if action == actionUpgrade {
		version, _ := inputs["version"].(string)
		return func(_ context.Context, _ fettle.NodeID, names filter.Names) string {
			about, _ := names.Name("agent")
			agent, is := about.(filter.Object)
			if !is {
				return "the node does not say what it is"
			}
			goos, _ := agent.Get("os")
			arch, _ := agent.Get("arch")
			if _, err := s.Catalogue.AgentFor(version, fmt.Sprint(goos), fmt.Sprint(arch)); err != nil {
				return strings.TrimSuffix(err.Error(), ": "+fettle.ErrNotFound.Error())
			}
			return ""
		}
	}
	use, err := s.Catalogue.Action(action)
	if err != nil {
		return nil
	}
	return func(ctx context.Context, _ fettle.NodeID, names filter.Names) string { return use.Forbids(ctx, names) }
}

// withArchive gives a task with the archive that its node has to fetch: of a plugin the one that the run fixed, of the agent that of its platform.
func (s *Server) withArchive(t fettle.Task) fettle.Task {
	if t.Plugin == nil || t.Plugin.Name != catalogue.AgentName || s.Catalogue == nil {
		return t
	}
	n, _ := s.Inventory.Brief(t.Node)
	ref := *t.Plugin
	if v, err := s.Catalogue.AgentFor(ref.Version, n.Agent.OS, n.Agent.Arch); err == nil {
		ref.Digest, ref.Size = v.Digest, v.Size
	}
	t.Plugin = &ref
	return t
}
