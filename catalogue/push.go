package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Push keeps the archive of a plugin's version, signs it, and has it used from now on unless the plugin is pinned. The same archive may be pushed again;
// ErrConflict: there is another archive under that version. ErrInvalid: the archive, with what is wrong with it.
func (c *Catalogue) Push(ctx context.Context, archive []byte, by string) (Plugin, Version, error) {
	_, m, err := plugins.ReadArchive(archive)
	if err != nil {
		return Plugin{}, Version{}, err
	}
	c.change.Lock()
	defer c.change.Unlock()
	digest, now := plugins.Digest(archive), fettle.MillisOf(c.cfg.Now())
	p, err := c.Plugin(m.Name)
	if err != nil {
		p = Plugin{Name: m.Name}
	}
	old, again := p.version(m.Version)
	switch {
	case again && old.Digest != digest && old.Fault == "":
		return p, old, conflict("plugin %s has a version %s already, with another content; raise version in plugin.yaml", m.Name, m.Version)
	case !again && len(p.Versions) >= maxVersions:
		return p, old, conflict("plugin %s has %d versions; remove one: fettle plugin remove %s VERSION", m.Name, len(p.Versions), m.Name)
	case missing(err) && len(c.Plugins()) >= maxPlugins:
		return p, old, conflict("there are %d plugins; remove one", maxPlugins)
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		return p, old, fmt.Errorf("push plugin %s: %w", m.Name, err)
	}
	r := store.Release{Name: m.Name, Version: m.Version, Digest: digest, Size: int64(len(archive)), Manifest: manifest, PushedBy: by, Pushed: now}
	if r.Voucher, err = json.Marshal(c.voucher(r)); err != nil {
		return p, old, fmt.Errorf("push plugin %s: %w", m.Name, err)
	}
	v := c.version(r)
	if v.Fault != "" {
		return p, v, fmt.Errorf("plugin %s: %s: %w", m.Name, v.Fault, fettle.ErrInvalid)
	}
	if !p.Pinned && p.Current != m.Version {
		p.Former, p.Current = p.Current, m.Version
	}
	p.By, p.Changed = by, now
	choice := p.choice()
	if err := c.cfg.Store.SaveRelease(ctx, r, pieced(archive), &choice); err != nil {
		return p, v, err
	}
	p.Versions = slices.Insert(slices.DeleteFunc(p.Versions, func(o Version) bool { return o.Version == v.Version }), 0, v)
	c.put(p)
	return p, v, nil
}

// voucher signs what a release is.
func (c *Catalogue) voucher(r store.Release) wire.Voucher {
	return wire.Voucher{Name: r.Name, Version: r.Version, Platform: r.Platform, Digest: r.Digest, Size: r.Size}.Sign(c.cfg.Signer)
}

// pieced cuts an archive.
func pieced(archive []byte) [][]byte { return slices.Collect(slices.Chunk(archive, wire.PieceSize)) }

func (p *Plugin) choice() store.PluginChoice {
	return store.PluginChoice{Name: p.Name, Current: p.Current, Former: p.Former, Pinned: p.Pinned, By: p.By, Changed: p.Changed}
}

// put has memory follow the store.
func (c *Catalogue) put(p Plugin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugins[p.Name] = &p
}

// Pin has one version of a plugin used, whatever is pushed, until Unpin. ErrNotFound: there is no such version.
func (c *Catalogue) Pin(ctx context.Context, name, version, by string) (Plugin, error) {
	return c.choose(ctx, name, by, func(p *Plugin) error {
		v, is := p.version(version)
		if !is {
			return fmt.Errorf("plugin %s has no version %s; it has %s: %w", name, version, p.names(), fettle.ErrNotFound)
		}
		if v.Fault != "" {
			return conflict("plugin %s %s cannot be used: %s", name, version, v.Fault)
		}
		if p.Pinned = true; p.Current != version {
			p.Former, p.Current = p.Current, version
		}
		return nil
	})
}

// Unpin has the version used that was pushed last, and each that is pushed from now on.
func (c *Catalogue) Unpin(ctx context.Context, name, by string) (Plugin, error) {
	return c.choose(ctx, name, by, func(p *Plugin) error {
		if p.Pinned = false; p.Current != p.Versions[0].Version {
			p.Former, p.Current = p.Current, p.Versions[0].Version
		}
		return nil
	})
}

// Rollback has the version used that was used before. ErrConflict: there is none.
func (c *Catalogue) Rollback(ctx context.Context, name, by string) (Plugin, error) {
	return c.choose(ctx, name, by, func(p *Plugin) error {
		v, is := p.version(p.Former)
		if p.Former == "" || !is || v.Fault != "" {
			return conflict("plugin %s has no version to go back to; fettle plugin pin %s VERSION chooses any of %s", name, name, p.names())
		}
		p.Former, p.Current = p.Current, p.Former
		return nil
	})
}

// choose changes which version of a plugin is used.
func (c *Catalogue) choose(ctx context.Context, name, by string, change func(*Plugin) error) (Plugin, error) {
	c.change.Lock()
	defer c.change.Unlock()
	p, err := c.Plugin(name)
	if err != nil {
		return p, err
	}
	if err := change(&p); err != nil {
		return p, err
	}
	p.By, p.Changed = by, fettle.MillisOf(c.cfg.Now())
	if err := c.cfg.Store.SavePluginChoice(ctx, p.choice()); err != nil {
		return p, err
	}
	c.put(p)
	return p, nil
}

// names gives the versions that there are.
func (p *Plugin) names() string {
	var out string
	for i, v := range p.Versions {
		if i > 0 {
			out += " "
		}
		out += v.Version
	}
	return out
}

// Remove takes a version of a plugin away; with an empty version, all of them. Where it was the one that is used, the one before it is used, or else the
// one that was pushed last. ErrConflict: it is pinned. Nodes that have it keep it until they need the room; they are not asked to run it any more.
func (c *Catalogue) Remove(ctx context.Context, name, version, by string) error {
	c.change.Lock()
	defer c.change.Unlock()
	p, err := c.Plugin(name)
	if err != nil {
		return err
	}
	if version == "" {
		for _, v := range p.Versions {
			if err := c.cfg.Store.DeleteRelease(ctx, name, v.Version, "", nil); err != nil && !missing(err) {
				return err
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.plugins, name)
		return nil
	}
	switch _, is := p.version(version); {
	case !is:
		return fmt.Errorf("plugin %s has no version %s; it has %s: %w", name, version, p.names(), fettle.ErrNotFound)
	case p.Pinned && p.Current == version && len(p.Versions) > 1:
		return conflict("plugin %s is pinned to %s; pin another version first, or fettle plugin unpin %s", name, version, name)
	}
	p.Versions = slices.DeleteFunc(p.Versions, func(v Version) bool { return v.Version == version })
	var choice *store.PluginChoice
	if len(p.Versions) > 0 {
		p.without(version)
		p.By, p.Changed = by, fettle.MillisOf(c.cfg.Now())
		one := p.choice()
		choice = &one
	}
	if err := c.cfg.Store.DeleteRelease(ctx, name, version, "", choice); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plugins[name] = &p; choice == nil {
		delete(c.plugins, name)
	}
	return nil
}

// without has another version used where the one that is gone was.
func (p *Plugin) without(gone string) {
	if p.Former == gone {
		p.Former = ""
	}
	if p.Current != gone {
		return
	}
	p.Current, p.Former = p.Former, ""
	if _, is := p.current(); !is {
		p.Current = p.Versions[0].Version
	}
}
