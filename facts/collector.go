package facts

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Snapshot is what was true of the machine at one moment.
type Snapshot struct {
	Facts   map[string]any // values are string, bool, int64, uint64, float64, []any and map[string]any; nil stands in lists only
	Classes []string       // sorted, no two alike
	Errors  []SourceError  // of sources that were left out, whole or in part; also in the fact fettle.facts.errors
	Took    time.Duration
}

// SourceError says why a source of facts, or a part of it, was left out.
type SourceError struct {
	Source string // the path of a file, or the name of a native fact, "facter" or "cloud"
	Err    error
}

func (e SourceError) Error() string { return e.Source + ": " + e.Err.Error() }

// Unwrap gives the reason.
func (e SourceError) Unwrap() error { return e.Err }

// Bounds of the fact fettle.facts.errors: they have to fit in what a document keeps free.
const (
	maxErrors    = 100
	maxErrorText = 300 // bytes of JSON
)

// Collector collects the facts of this machine. Its methods are safe for concurrent use.
type Collector struct {
	cfg      Config
	log      *slog.Logger
	sys      system
	volatile Volatile
	cloud    *cloud
	usages   *usages
	turn     chan struct{} // holds one token: programs among the external facts do not run twice at the same time

	mu     sync.Mutex
	warned map[string]string // guarded by mu: what was last logged of each source
}

// New makes a Collector. cfg has passed Validate; patterns of cfg.Volatile that are faulty match nothing.
func New(cfg Config, log *slog.Logger) *Collector {
	return newCollector(cfg, log, thisSystem())
}

func newCollector(cfg Config, log *slog.Logger, sys system) *Collector {
	if cfg.Root == "" {
		cfg.Root = "/"
	}
	if cfg.Collective == "" {
		cfg.Collective = "fettle"
	}
	volatile, _ := NewVolatile(cfg.Volatile) // Validate has reported it
	return &Collector{
		cfg: cfg, log: log, sys: sys, volatile: volatile,
		cloud:  newCloud(cfg),
		usages: newUsages(sys.usage),
		turn:   make(chan struct{}, 1),
		warned: map[string]string{},
	}
}

// Volatile gives the patterns of cfg.Volatile, read.
func (c *Collector) Volatile() Volatile { return c.volatile }

// Changed receives after facts that are collected in the background have changed, so that the next Collect will differ. Signals that nobody
// has taken yet are one.
func (c *Collector) Changed() <-chan struct{} { return c.cloud.changed }

// Run asks cloud metadata services, where there are any, until ctx ends. Collect works without it, and then has no cloud facts.
func (c *Collector) Run(ctx context.Context) error {
	if !c.cfg.Cloud {
		<-ctx.Done()
		return nil
	}
	return c.cloud.run(ctx, c.machine().cloudProvider(), c.log)
}

// Collect gathers all facts anew. It lasts as long as the slowest program among the external facts, and milliseconds without one. A source
// that fails is named in the Snapshot; the only error is that of ctx.
func (c *Collector) Collect(ctx context.Context) (Snapshot, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Snapshot{}, fmt.Errorf("collect facts: %w", context.Cause(ctx))
	}
	began := time.Now()
	doc := newDocument()
	c.native(ctx, doc)
	if c.cfg.Facter {
		c.facter(ctx, doc)
	}
	c.cloud.collect(doc)
	c.external(ctx, doc)
	classes := c.classes(doc)
	if err := ctx.Err(); err != nil {
		return Snapshot{}, fmt.Errorf("collect facts: %w", err)
	}
	doc.own(c.own(doc.faults))
	c.report(doc.faults)
	return Snapshot{Facts: doc.facts, Classes: classes, Errors: doc.faults, Took: time.Since(began)}, nil
}

// native puts each native fact apart, so that one that breaks a bound costs itself only.
func (c *Collector) native(ctx context.Context, doc *document) {
	m := c.machine()
	for _, source := range natives() {
		if ctx.Err() != nil {
			return
		}
		facts, err := source.collect(m)
		if err != nil {
			doc.fail(source.name, err)
		}
		doc.put(source.name, facts)
	}
}

func (c *Collector) machine() *machine {
	return &machine{tree: tree(c.cfg.Root), sys: c.sys, usages: c.usages, puppetDirs: c.cfg.PuppetDirs}
}

// own gives the facts below fettle. They are few and bounded, so they always fit.
func (c *Collector) own(faults []SourceError) object {
	own := object{"version": c.cfg.Version, "collective": c.cfg.Collective, "os": runtime.GOOS, "arch": runtime.GOARCH}
	set(own, "identity", string(c.cfg.Identity))
	set(own, "puppet", c.machine().puppet())
	if texts := errorTexts(faults); len(texts) > 0 {
		own["facts"] = object{"errors": texts}
	}
	return own
}

// own sets the facts below fettle.
func (d *document) own(facts object) { d.facts[ownKey] = facts }

// errorTexts gives a line for each source that failed, by its name. Beyond maxErrors they are counted only.
func errorTexts(faults []SourceError) object {
	texts := object{}
	left := 0
	for _, fault := range faults {
		source := clip(fault.Source)
		before, seen := texts[source].(string)
		switch {
		case seen:
			texts[source] = clip(before + "; " + fault.Err.Error())
		case len(texts) < maxErrors:
			texts[source] = clip(fault.Err.Error())
		default:
			left++
		}
	}
	if left > 0 {
		texts["more"] = fmt.Sprintf("%d more sources failed", left)
	}
	return texts
}

// clip gives the first line of s as valid UTF-8, cut so that it takes no more than maxErrorText bytes as JSON.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		s = s[:i]
	}
	if stringSize(s) <= maxErrorText {
		return s
	}
	size := stringSize("…")
	for i, r := range s {
		if size += stringSize(string(r)) - 2; size > maxErrorText {
			return s[:i] + "…"
		}
	}
	return s
}

// report logs what failed, once for as long as it stays the same, and what has mended.
func (c *Collector) report(faults []SourceError) {
	now := make(map[string]string, len(faults))
	for _, fault := range faults {
		now[fault.Source] = fault.Err.Error()
	}
	c.mu.Lock()
	before := c.warned
	c.warned = now
	c.mu.Unlock()
	for _, source := range sortedKeys(now) {
		if before[source] != now[source] {
			c.log.Warn("source of facts left out", "source", source, "err", now[source])
		}
	}
	for source := range maps.Keys(before) {
		if _, still := now[source]; !still {
			c.log.Info("source of facts is well again", "source", source)
		}
	}
}
