package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/filter"
)

// PluginDetail is a plugin that was pushed, and how many nodes have which version of it on disk.
type PluginDetail struct {
	catalogue.Plugin
	Nodes map[string]int // by version; only of those that are kept
}

// AgentRelease is a program of the agent that was pushed, and how many nodes run its version.
type AgentRelease struct {
	catalogue.Version
	Nodes int
}

// errNoCatalogue is for a server that was made without one.
var errNoCatalogue = fmt.Errorf("this server keeps no plugins: %w", fettle.ErrUnavailable)

// Plugins lists the plugins that were pushed, by name.
func (s *Server) Plugins(ctx context.Context) ([]PluginDetail, error) {
	if s.Catalogue == nil {
		return nil, nil
	}
	var out []PluginDetail
	for _, p := range s.Catalogue.Plugins() {
		d, err := s.pluginDetail(ctx, p)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// PluginByName gives a plugin that was pushed. ErrNotFound names those that there are.
func (s *Server) PluginByName(ctx context.Context, name string) (PluginDetail, error) {
	if s.Catalogue == nil {
		return PluginDetail{}, errNoCatalogue
	}
	p, err := s.Catalogue.Plugin(name)
	if err != nil {
		return PluginDetail{}, err
	}
	return s.pluginDetail(ctx, p)
}

func (s *Server) pluginDetail(ctx context.Context, p catalogue.Plugin) (PluginDetail, error) {
	d := PluginDetail{Plugin: p, Nodes: map[string]int{}}
	for _, v := range p.Versions {
		n, err := s.countNodes(ctx, "agent.plugins["+strconv.Quote(p.Name)+"] == "+strconv.Quote(v.Version))
		if err != nil {
			return d, err
		}
		d.Nodes[v.Version] = n
	}
	return d, nil
}

// countNodes gives how many nodes match a filter of ours.
func (s *Server) countNodes(ctx context.Context, text string) (int, error) {
	program, err := filter.Compile(filter.Node, fettle.Filter(text))
	if err != nil {
		return 0, err
	}
	a, err := s.Inventory.Query(ctx, s.query(program, fettle.MillisOf(s.Now())))
	return a.Matched, err
}

// PushPlugin keeps an archive as a version of the plugin that its manifest names. ErrConflict: there is another under that version.
func (s *Server) PushPlugin(ctx context.Context, archive []byte, caller string) (PluginDetail, string, error) {
	if s.Catalogue == nil {
		return PluginDetail{}, "", errNoCatalogue
	}
	p, v, err := s.Catalogue.Push(ctx, archive, caller)
	if err != nil {
		return PluginDetail{}, "", err
	}
	s.Log.Info("plugin pushed", "plugin", p.Name, "version", v.Version, "user", caller)
	s.pluginChanged(p.Name)
	d, err := s.pluginDetail(ctx, p)
	return d, v.Version, err
}

// Of PluginChange: what it does.
const (
	PluginPin      = "pin"
	PluginUnpin    = "unpin"
	PluginRollback = "rollback"
)

// ChoosePlugin changes which version of a plugin is used; version is for PluginPin alone.
func (s *Server) ChoosePlugin(ctx context.Context, what, name, version, caller string) (PluginDetail, error) {
	if s.Catalogue == nil {
		return PluginDetail{}, errNoCatalogue
	}
	var p catalogue.Plugin
	var err error
	switch what {
	case PluginPin:
		p, err = s.Catalogue.Pin(ctx, name, version, caller)
	case PluginUnpin:
		p, err = s.Catalogue.Unpin(ctx, name, caller)
	case PluginRollback:
		p, err = s.Catalogue.Rollback(ctx, name, caller)
	default:
		err = fmt.Errorf("%q is none of pin, unpin, rollback: %w", what, fettle.ErrInvalid)
	}
	if err != nil {
		return PluginDetail{}, err
	}
	s.Log.Info("plugin chosen", "plugin", p.Name, "version", p.Current, "user", caller)
	s.pluginChanged(p.Name)
	return s.pluginDetail(ctx, p)
}

// RemovePlugin takes a version of a plugin away; with an empty version, all of it. ErrConflict: it is pinned.
func (s *Server) RemovePlugin(ctx context.Context, name, version, caller string) error {
	if s.Catalogue == nil {
		return errNoCatalogue
	}
	err := s.Catalogue.Remove(ctx, name, version, caller)
	s.pluginChanged(name)
	return err
}

// pluginChanged has the nodes that run a plugin's actions again and again, for checks, told at once which version is meant now.
func (s *Server) pluginChanged(name string) {
	if slices.ContainsFunc(s.defs.all(), func(def definition) bool { return strings.HasPrefix(def.Action, name+".") }) {
		s.touchAll()
	}
	s.changes.notify()
}

// PluginArchive gives the archive of a version.
func (s *Server) PluginArchive(ctx context.Context, name, version string) ([]byte, error) {
	if s.Catalogue == nil {
		return nil, errNoCatalogue
	}
	return s.Catalogue.Archive(ctx, name, version)
}

// AgentReleases lists the programs of the agent that were pushed, the latest first.
func (s *Server) AgentReleases(ctx context.Context) ([]AgentRelease, error) {
	if s.Catalogue == nil {
		return nil, nil
	}
	var out []AgentRelease
	for _, v := range s.Catalogue.Agents() {
		n, err := s.countNodes(ctx, fmt.Sprintf("agent.version == %q && agent.os + '/' + agent.arch == %q", v.Version, v.Platform))
		if err != nil {
			return nil, err
		}
		out = append(out, AgentRelease{Version: v, Nodes: n})
	}
	return out, nil
}

// PushAgent keeps a program of the agent, for the platform that it was built for.
func (s *Server) PushAgent(ctx context.Context, program []byte, version, caller string) (AgentRelease, error) {
	if s.Catalogue == nil {
		return AgentRelease{}, errNoCatalogue
	}
	v, err := s.Catalogue.PushAgent(ctx, program, version, caller)
	if err == nil {
		s.Log.Info("agent release pushed", "version", version, "user", caller)
	}
	return AgentRelease{Version: v}, err
}

// RemoveAgent takes a version of the agent away, for all platforms.
func (s *Server) RemoveAgent(ctx context.Context, version string) error {
	if s.Catalogue == nil {
		return errNoCatalogue
	}
	return s.Catalogue.RemoveAgent(ctx, version)
}
