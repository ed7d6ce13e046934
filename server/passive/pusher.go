package passive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server"
)

// Spans of the work.
const (
	lookEvery  = time.Second      // a change is told as soon as this
	restFactor = 10               // after a look that took long, so much longer is waited: looking must not eat the server
	firstWait  = time.Second      // after a fault of a target, doubling
	maxWait    = time.Minute      //
	sendWithin = 30 * time.Second // one batch
)

// maxBatch is how many results one delivery holds.
const maxBatch = 500

// sender brings results to a target, in their order. It calls took for each that was taken, or refused for good with the reason, from one goroutine
// at a time. The error is of the target: what was not told of is tried again. It keeps within ctx.
type sender interface {
	send(ctx context.Context, batch []nagios.Passive, took func(i int, refused error)) error
}

// Pusher tells all targets.
type Pusher struct {
	targets []*target
	meters  *metrics.Set
	now     func() time.Time
}

// New gives a pusher for targets that Validate has found nothing wrong with. ErrInvalid: a file that one of them names cannot be used.
func New(targets []Target, log *slog.Logger, now func() time.Time) (*Pusher, error) {
	p := &Pusher{meters: metrics.NewSet(), now: now}
	for _, cfg := range targets {
		cfg = cfg.filled()
		s, err := newSender(cfg)
		if err != nil {
			return nil, fmt.Errorf("passive %s: %w", cfg.Name, err)
		}
		if cfg.Nodes != "" {
			if cfg.Nodes, err = server.WrittenFilter(cfg.Nodes); err != nil {
				return nil, fmt.Errorf("passive %s: %w", cfg.Name, err)
			}
		}
		t := &target{cfg: cfg, sender: s, log: log.With("target", cfg.Name), told: map[key]telling{}, refused: map[string]bool{}, meters: newMeters(p.meters, cfg.Name)}
		if t.names, err = newNames(cfg); err != nil {
			return nil, fmt.Errorf("passive %s: %w", cfg.Name, err)
		}
		p.targets = append(p.targets, t)
	}
	return p, nil
}

func newSender(cfg Target) (sender, error) {
	switch cfg.Kind {
	case KindCommandFile:
		return commandFile{cfg.File}, nil
	case KindNSCA:
		return nsca{address: cfg.Address, method: cfg.Encryption, password: cfg.Password}, nil
	case KindIcinga2:
		return newIcinga(cfg)
	}
	return nil, fmt.Errorf("kind %q: %w", cfg.Kind, fettle.ErrInvalid)
}

// Run tells the targets what src knows until ctx ends.
func (p *Pusher) Run(ctx context.Context, src Source) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range p.targets {
		g.Go(func() error { return t.run(ctx, src, p.now) })
	}
	return g.Wait()
}

// WriteMetrics writes what was told, and what could not be, in the Prometheus text format.
func (p *Pusher) WriteMetrics(w io.Writer) { p.meters.WritePrometheus(w) }

// key is a service, or with an empty Service a host.
type key struct{ host, service string }

// telling is what a target was told last.
type telling struct {
	code fettle.CheckCode
	text string
	at   time.Time
}

// target is one of them, at work. All but the meters belongs to its run.
type target struct {
	cfg     Target
	names   names
	sender  sender
	log     *slog.Logger
	told    map[key]telling
	refused map[string]bool // reasons that the log has
	failing string          // the fault that the log has, without numbers; empty: there is none
	meters  targetMeters
}

// run looks and tells until ctx ends.
func (t *target) run(ctx context.Context, src Source, now func() time.Time) error {
	wait := lookEvery
	faults := 0
	for pause(ctx, wait) {
		began := time.Now()
		err := t.tell(ctx, src, now())
		if wait = max(lookEvery, restFactor*time.Since(began)); err == nil {
			faults = 0
			t.recovered()
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		t.fault(err)
		wait = min(max(wait, firstWait<<min(faults, 10)), maxWait)
		faults++
	}
	return nil
}

// tell brings what is due to the target.
func (t *target) tell(ctx context.Context, src Source, now time.Time) error {
	want, err := t.wanted(ctx, src)
	if err != nil {
		return err
	}
	due := t.due(want, now)
	t.meters.pending.Set(float64(len(due)))
	for len(due) > 0 {
		batch := due[:min(len(due), maxBatch)]
		sending, cancel := context.WithTimeout(ctx, sendWithin)
		err := t.sender.send(sending, batch, func(i int, refused error) { t.took(batch[i], now, refused) })
		cancel()
		if err != nil {
			return err
		}
		due = due[len(batch):]
		t.meters.pending.Set(float64(len(due)))
	}
	return nil
}

// due gives what is to be told of want: another status at once, another text after a while, everything once in an interval. What is not wanted any
// more is forgotten.
func (t *target) due(want []nagios.Passive, now time.Time) (out []nagios.Passive) {
	wanted := make(map[key]bool, len(want))
	for _, p := range want {
		k := key{p.Host, p.Service}
		wanted[k] = true
		last, known := t.told[k]
		age := now.Sub(last.at)
		switch {
		case !known, last.code != p.Code, age >= t.cfg.Interval, age < 0, last.text != p.Text && age >= t.cfg.TextInterval:
			p.At = now
			out = append(out, p)
		}
	}
	for k := range t.told {
		if !wanted[k] {
			delete(t.told, k)
		}
	}
	return out
}

// took notes a result that the target has, or has refused: that is not tried again before the next interval.
func (t *target) took(p nagios.Passive, now time.Time, refused error) {
	t.told[key{p.Host, p.Service}] = telling{p.Code, p.Text, now}
	if refused == nil {
		t.meters.sent.Inc()
		return
	}
	t.meters.refused.Inc()
	if reason := refused.Error(); !t.refused[reason] && len(t.refused) < maxRefused {
		t.refused[reason] = true
		t.log.Warn("a passive result was refused", "host", p.Host, "service", p.Service, "err", refused)
	}
}

// maxRefused is how many reasons of refusals the log has of one target.
const maxRefused = 100

// fault notes that the target cannot be told, once until it can or there is another reason: a daemon that was away may not understand us when it is back.
func (t *target) fault(err error) {
	t.meters.failures.Inc()
	t.meters.up.Set(0)
	reason := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' { // ports differ each time
			return -1
		}
		return r
	}, err.Error())
	if t.failing != reason {
		t.log.Warn("passive results cannot be delivered", "err", err)
	}
	t.failing = reason
}

func (t *target) recovered() {
	t.meters.up.Set(1)
	if t.failing != "" {
		t.log.Info("passive results are delivered again")
	}
	t.failing = ""
}

// targetMeters count what was told to one target.
type targetMeters struct {
	sent, refused, failures *metrics.Counter
	pending, up             *metrics.Gauge
}

func newMeters(set *metrics.Set, name string) targetMeters {
	series := func(what string) string { return fmt.Sprintf("fettle_passive_%s{target=%q}", what, name) }
	return targetMeters{
		sent: set.NewCounter(series("sent_total")), refused: set.NewCounter(series("refused_total")), failures: set.NewCounter(series("failures_total")),
		pending: set.NewGauge(series("pending"), nil), up: set.NewGauge(series("up"), nil),
	}
}

// pause waits for d, and tells whether ctx lasts.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// unreachable makes err one of a target that may be back soon.
func unreachable(what string, err error) error {
	return errors.Join(fmt.Errorf("%s: %w", what, err), fettle.ErrUnavailable)
}
