package catalogue

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store"
)

// AgentName is the name under which the agent's own program is kept; no plugin can have it, because it is that of built-in actions.
const AgentName = "agent"

// Bounds of a program of the agent.
const (
	MaxProgram      = 160 << 20 // bytes
	MaxAgentArchive = 96 << 20  // bytes, compressed
	maxAgents       = 50
)

var agentVersion = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)

// programPath is the package that a program of the agent is built of.
const programPath = "github.com/fettle-dev/fettle/cmd/fettle"

// PushAgent keeps a program of the agent as the release that agent.upgrade brings to nodes. For which platform it is, the program itself says. ErrInvalid:
// it is no such program. ErrConflict: there is another one of that version, or the same one under another version.
func (c *Catalogue) PushAgent(ctx context.Context, program []byte, version, by string) (Version, error) {
	platform, err := platformOf(program)
	if err != nil {
		return Version{}, err
	}
	if !agentVersion.MatchString(version) {
		return Version{}, fmt.Errorf("version %q is not of the kind 1.2.3: %w", version, fettle.ErrInvalid)
	}
	archive, err := compress(program)
	if err != nil {
		return Version{}, err
	}
	if len(archive) > MaxAgentArchive {
		return Version{}, fmt.Errorf("the program has %d bytes even when it is compressed, and %d are allowed: %w", len(archive), MaxAgentArchive, fettle.ErrInvalid)
	}
	c.change.Lock()
	defer c.change.Unlock()
	r := store.Release{
		Name: AgentName, Version: version, Platform: platform, Digest: plugins.Digest(archive), Size: int64(len(archive)), Manifest: json.RawMessage("{}"), PushedBy: by,
		Pushed: fettle.MillisOf(c.cfg.Now()),
	}
	all := c.Agents()
	if v, err := clash(all, r); err != nil {
		return v, err
	}
	if r.Voucher, err = json.Marshal(c.voucher(r)); err != nil {
		return Version{}, fmt.Errorf("push agent %s: %w", version, err)
	}
	if err := c.cfg.Store.SaveRelease(ctx, r, pieced(archive), nil); err != nil {
		return Version{}, err
	}
	v := c.version(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	same := func(o Version) bool { return o.Version == version && o.Platform == platform }
	c.agents = slices.Insert(slices.DeleteFunc(slices.Clone(c.agents), same), 0, v)
	return v, nil
}

// clash tells why a release cannot stand beside those that there are. Nodes fetch by digest, and hold the voucher to the version they were asked to
// become: one program has one version.
func clash(all []Version, r store.Release) (Version, error) {
	again := false
	for _, v := range all {
		same := v.Version == r.Version && v.Platform == r.Platform
		again = again || same
		switch {
		case same && v.Digest != r.Digest && v.Fault == "":
			return v, conflict("there is a version %s for %s already, of another content", r.Version, r.Platform)
		case !same && v.Digest == r.Digest:
			return v, conflict("this program is here already, as version %s; remove that first: fettle agent-release remove %s", v.Version, v.Version)
		}
	}
	if !again && len(all) >= maxAgents {
		return Version{}, conflict("there are %d releases of the agent; remove one: fettle agent-release remove VERSION", len(all))
	}
	return Version{}, nil
}

// platformOf gives os/arch of a program of the agent.
func platformOf(program []byte) (string, error) {
	if len(program) > MaxProgram {
		return "", fmt.Errorf("the program has %d bytes, and %d are allowed: %w", len(program), MaxProgram, fettle.ErrInvalid)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return "", fmt.Errorf("this is no program of fettle: %w: %w", err, fettle.ErrInvalid)
	}
	if info.Path != programPath {
		return "", fmt.Errorf("this is a program of %s, and not of fettle: %w", info.Path, fettle.ErrInvalid)
	}
	goos, arch := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			goos = s.Value
		case "GOARCH":
			arch = s.Value
		}
	}
	if goos == "" || arch == "" {
		return "", fmt.Errorf("the program does not say for which system it was built: %w", fettle.ErrInvalid)
	}
	return goos + "/" + arch, nil
}

func compress(program []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return z.EncodeAll(program, make([]byte, 0, len(program)/2)), nil
}

// Agents lists the releases of the agent, the latest pushed first.
func (c *Catalogue) Agents() []Version {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.agents)
}

// AgentVersions gives the releases of one version, one for each platform.
func (c *Catalogue) AgentVersions(version string) []Version {
	return slices.DeleteFunc(c.Agents(), func(v Version) bool { return v.Version != version })
}

// AgentFor gives the release of a version for a platform. ErrNotFound names the platforms that there are.
func (c *Catalogue) AgentFor(version, goos, arch string) (Version, error) {
	var others []string
	for _, v := range c.AgentVersions(version) {
		if v.Platform == goos+"/"+arch && v.Fault == "" {
			return v, nil
		}
		others = append(others, v.Platform)
	}
	return Version{}, fmt.Errorf("version %s of the agent is not here for %s/%s, only for %s: %w", version, goos, arch, strings.Join(others, " "), fettle.ErrNotFound)
}

// RemoveAgent takes a version of the agent away, for all platforms. ErrNotFound: there is none.
func (c *Catalogue) RemoveAgent(ctx context.Context, version string) error {
	c.change.Lock()
	defer c.change.Unlock()
	gone := c.AgentVersions(version)
	if len(gone) == 0 {
		return fmt.Errorf("there is no version %s of the agent: %w", version, fettle.ErrNotFound)
	}
	for _, v := range gone {
		if err := c.cfg.Store.DeleteRelease(ctx, AgentName, v.Version, v.Platform, nil); err != nil && !missing(err) {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.agents = slices.DeleteFunc(slices.Clone(c.agents), func(v Version) bool { return v.Version == version })
	return nil
}
