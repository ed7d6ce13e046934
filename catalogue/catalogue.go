package catalogue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of what is kept.
const (
	maxPlugins  = 500
	maxVersions = 50 // of one plugin; the oldest has to be removed for one more
)

// Config says what a catalogue works with.
type Config struct {
	Store    *store.Store
	Signer   wire.Signer      // of vouchers; nil: nothing is signed, and no node takes anything
	Verifier wire.Verifier    // of vouchers that were kept: by the fleet's root, whatever day it was. Nil: nothing is verified
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Version is one version of a plugin, or of the agent for a platform.
type Version struct {
	Version  string
	Platform string // os/arch of the agent's program; empty: of a plugin
	Digest   string
	Size     int64 // bytes
	By       string
	Pushed   fettle.Millis
	Fault    string           // why it cannot be used; empty: it can
	Manifest plugins.Manifest // of a plugin

	platforms *filter.Program // nil: it runs everywhere
}

// Plugin is a plugin with its versions.
type Plugin struct {
	Name     string
	Current  string // the version that is used
	Former   string // the one that was used before; empty: there was none
	Pinned   bool   // what is pushed does not become current
	By       string // who chose it last
	Changed  fettle.Millis
	Versions []Version // the latest pushed first
}

// current gives the version that is used.
func (p *Plugin) current() (Version, bool) { return p.version(p.Current) }

func (p *Plugin) version(version string) (Version, bool) {
	i := slices.IndexFunc(p.Versions, func(v Version) bool { return v.Version == version })
	if i < 0 {
		return Version{}, false
	}
	return p.Versions[i], true
}

// Catalogue is what a fleet has. Its methods are safe for concurrent use.
type Catalogue struct {
	cfg    Config
	change sync.Mutex // held by who changes something, so that the store and memory change in one order

	mu      sync.RWMutex // guards all below
	plugins map[string]*Plugin
	agents  []Version // the latest pushed first
	pieces  pieces
}

// New makes a catalogue. It knows nothing before Load.
func New(cfg Config) *Catalogue {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Catalogue{cfg: cfg, plugins: map[string]*Plugin{}}
}

// Load reads what is kept.
func (c *Catalogue) Load(ctx context.Context) error {
	releases, err := c.cfg.Store.Releases(ctx)
	if err != nil {
		return err
	}
	choices, err := c.cfg.Store.PluginChoices(ctx)
	if err != nil {
		return err
	}
	known, agents := map[string]*Plugin{}, []Version(nil)
	for _, r := range releases {
		v := c.version(r)
		if v.Fault != "" {
			c.cfg.Log.Error("a release in the store is not used", "plugin", r.Name, "version", r.Version, "err", v.Fault)
		}
		if r.Platform != "" {
			agents = append(agents, v)
			continue
		}
		if known[r.Name] == nil {
			known[r.Name] = &Plugin{Name: r.Name}
		}
		known[r.Name].Versions = append(known[r.Name].Versions, v)
	}
	for _, choice := range choices {
		if p := known[choice.Name]; p != nil {
			p.Current, p.Former, p.Pinned, p.By, p.Changed = choice.Current, choice.Former, choice.Pinned, choice.By, choice.Changed
		}
	}
	for _, p := range known {
		slices.Reverse(p.Versions)
	}
	slices.Reverse(agents)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugins, c.agents = known, agents
	return nil
}

// version gives a release as it is used, or with the reason why it is not.
func (c *Catalogue) version(r store.Release) Version {
	v := Version{Version: r.Version, Platform: r.Platform, Digest: r.Digest, Size: r.Size, By: r.PushedBy, Pushed: r.Pushed}
	if err := c.vouched(r); err != nil {
		v.Fault = fmt.Sprintf("what the store has was not signed by this fleet's server, push it again: %v", err)
	}
	if r.Platform != "" || v.Fault != "" {
		return v
	}
	if err := json.Unmarshal(r.Manifest, &v.Manifest); err != nil {
		v.Fault = fmt.Sprintf("its manifest cannot be read, push it again: %v", err)
		return v
	}
	if v.Manifest.Platforms != "" {
		var err error
		if v.platforms, err = filter.Compile(filter.OnNode, v.Manifest.Platforms); err != nil {
			v.Fault = fmt.Sprintf("platforms: %v", err)
		}
	}
	for _, a := range v.Manifest.Actions {
		if a.Busy == "" {
			continue
		}
		if _, err := filter.Compile(filter.Node, fettle.Filter(a.Busy)); err != nil {
			v.Fault = fmt.Sprintf("busy of %s: %v", a.Name, err)
		}
	}
	return v
}

// vouched tells whether a server of this fleet signed a release when it was pushed, and with this manifest.
func (c *Catalogue) vouched(r store.Release) error {
	if c.cfg.Verifier == nil {
		return nil
	}
	var v wire.Voucher
	if err := json.Unmarshal(r.Voucher, &v); err != nil {
		return fmt.Errorf("%w: %w", err, fettle.ErrDenied)
	}
	if v.Name != r.Name || v.Version != r.Version || v.Platform != r.Platform || v.Digest != r.Digest || v.Size != r.Size {
		return fmt.Errorf("its voucher is of %s %s: %w", v.Name, v.Version, fettle.ErrDenied)
	}
	return v.Check(c.cfg.Verifier)
}

// Plugins lists the plugins that were pushed, by name.
func (c *Catalogue) Plugins() []Plugin {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Plugin, 0, len(c.plugins))
	for _, name := range slices.Sorted(maps.Keys(c.plugins)) {
		p := *c.plugins[name]
		p.Versions = slices.Clone(p.Versions)
		out = append(out, p)
	}
	return out
}

// Plugin gives one plugin. ErrNotFound names those that there are.
func (c *Catalogue) Plugin(name string) (Plugin, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, known := c.plugins[name]
	if !known {
		return Plugin{}, c.unknown(name)
	}
	out := *p
	out.Versions = slices.Clone(p.Versions)
	return out, nil
}

// unknown is called with mu held.
func (c *Catalogue) unknown(name string) error {
	names := slices.Sorted(maps.Keys(c.plugins))
	if len(names) == 0 {
		return fmt.Errorf("there is no plugin %s, no plugin was pushed yet: %w", name, fettle.ErrNotFound)
	}
	return fmt.Errorf("there is no plugin %s; there are: %s: %w", name, strings.Join(names, " "), fettle.ErrNotFound)
}

// Actions gives the actions of the current versions, by name.
func (c *Catalogue) Actions() (all []plugins.Action) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(c.plugins)) {
		if v, is := c.plugins[name].current(); is && v.Fault == "" {
			all = append(all, v.Manifest.Actions...)
		}
	}
	slices.SortFunc(all, func(a, b plugins.Action) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Use is an action of a plugin, in the version that is used.
type Use struct {
	Action plugins.Action
	Ref    fettle.PluginRef

	platforms *filter.Program
	manifest  plugins.Manifest
}

// Action gives an action of a current version. ErrNotFound: there is none. ErrConflict: the version cannot be used.
func (c *Catalogue) Action(name string) (Use, error) {
	plugin, _, _ := strings.Cut(name, ".")
	c.mu.RLock()
	defer c.mu.RUnlock()
	p := c.plugins[plugin]
	if p == nil {
		return Use{}, c.unknown(plugin)
	}
	return p.use(name, p.Current)
}

// ActionOf gives an action of the version that ref names, which need not be the current one any more.
func (c *Catalogue) ActionOf(name string, ref fettle.PluginRef) (Use, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p := c.plugins[ref.Name]
	if p == nil {
		return Use{}, c.unknown(ref.Name)
	}
	return p.use(name, ref.Version)
}

func (p *Plugin) use(name, version string) (Use, error) {
	v, is := p.version(version)
	switch {
	case !is:
		return Use{}, fmt.Errorf("plugin %s has no version %s: %w", p.Name, version, fettle.ErrNotFound)
	case v.Fault != "":
		return Use{}, fmt.Errorf("plugin %s %s cannot be used: %s: %w", p.Name, v.Version, v.Fault, fettle.ErrConflict)
	}
	i := slices.IndexFunc(v.Manifest.Actions, func(a plugins.Action) bool { return a.Name == name })
	if i < 0 {
		return Use{}, fmt.Errorf("plugin %s %s has no action %s: %w", p.Name, v.Version, name, fettle.ErrNotFound)
	}
	return Use{
		Action: v.Manifest.Actions[i], Ref: fettle.PluginRef{Name: p.Name, Version: v.Version, Digest: v.Digest, Size: v.Size},
		platforms: v.platforms, manifest: v.Manifest,
	}, nil
}

// Forbids tells why the plugin is not for a node; empty: it is.
func (u Use) Forbids(ctx context.Context, node filter.Names) string {
	if u.platforms == nil {
		return ""
	}
	if truth, _ := u.platforms.Match(ctx, node); truth != filter.True {
		return fmt.Sprintf("plugin %s is not for this platform: %s is %s", u.Ref.Name, u.manifest.Platforms, truth)
	}
	return ""
}

// conflict says that something does not go, and what does.
func conflict(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fettle.ErrConflict)...)
}

// missing tells whether err is that of something that is not there.
func missing(err error) bool { return errors.Is(err, fettle.ErrNotFound) }
