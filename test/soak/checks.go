//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"
)

// soakChecks has a fleet keep checks while its server is restarted, killed and away, and counts every state.
func (s settings) soakChecks(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "fettle-soak-")
	if err != nil {
		return err
	}
	nodes, err := os.MkdirTemp(memoryDir(), "fettle-soak-nodes-")
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	defer func() {
		if err == nil {
			err = errors.Join(os.RemoveAll(dir), os.RemoveAll(nodes))
		} else {
			err = fmt.Errorf("%w (state and logs are kept in %s and %s)", err, dir, nodes)
		}
	}()
	h, err := newHouse(ctx, s, dir, nodes)
	defer h.close()
	if err != nil {
		return err
	}
	w := &watcher{house: h, list: definitions(s.checks), agreed: map[string]time.Time{}, roster: map[string]int{}}
	if w.made, err = openRecord(h.record()); err != nil {
		return err
	}
	defer w.made.close()
	if err := h.apply(ctx, w.list); err != nil {
		return err
	}
	began := time.Now()
	if err := w.first(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d nodes keep %d checks every %v; all have a state %v after they were defined\n", s.nodes, s.checks, s.interval, time.Since(began).Round(100*time.Millisecond))
	story := &story{watcher: w, out: out, began: time.Now()}
	if err := story.run(ctx); err != nil {
		return err
	}
	return story.account(ctx)
}

// memoryDir gives a folder in memory for the state of the nodes, or none: one disk does not flush for thousands of machines as their own do.
func memoryDir() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// first waits until every node has said something of every check, and the server knows.
func (w *watcher) first(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*w.interval+catchUp)
	defer cancel()
	for _, d := range w.list {
		if d.exact() {
			w.agreed[d.name] = time.Now()
		}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := w.take(ctx)
		if err == nil {
			err = w.complete(ctx)
		}
		if err == nil {
			w.samples, w.counts, w.settled, w.apart, w.took = 0, 0, 0, 0, nil
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not every node has every state: %w", err)
		}
	}
}

// complete holds that every member has a state.
func (w *watcher) complete(ctx context.Context) error {
	for _, d := range w.list {
		var without struct{ Matched int }
		if err := w.getInto(ctx, "/nodes?count=true&where="+url.QueryEscape(fmt.Sprintf("(%s) && !(%q in checks)", d.where(), d.name)), &without); err != nil {
			return err
		}
		if without.Matched > 0 {
			return fmt.Errorf("%s: %d nodes have no state", d.name, without.Matched)
		}
	}
	return nil
}

// story is what happens to the server, and what was seen.
type story struct {
	*watcher
	out    io.Writer
	began  time.Time
	memory [2][]int   // MiB, of server and fleet
	gone   [][2]int64 // when the server was away, in milliseconds
}

// event is something that happens to the server.
type event struct {
	at   float64 // part of the whole time
	what string
	kill bool
	away bool
}

// run takes samples until the time is over, and has things happen meanwhile.
func (s *story) run(ctx context.Context) error {
	events := []event{{at: 0.15, what: "restarted"}, {at: 0.3, what: "killed", kill: true}, {at: 0.45, what: "away", away: true}}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for time.Since(s.began) < s.span {
		if len(events) > 0 && time.Since(s.began) >= time.Duration(events[0].at*float64(s.span)) {
			if err := s.happen(ctx, events[0]); err != nil {
				return fmt.Errorf("the server was %s: %w", events[0].what, err)
			}
			events = events[1:]
		}
		if err := s.look(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(events) > 0 {
		return errors.New("the time was too short for all that was to happen")
	}
	return nil
}

// look takes a sample and tells of it.
func (s *story) look(ctx context.Context) error {
	if s.server.Gone() || s.fleet.Gone() {
		return errors.Join(errors.New("server or fleet have ended by themselves"), s.server.Err(), s.fleet.Err())
	}
	one, err := s.take(ctx)
	if err != nil {
		return err
	}
	server, err := s.server.Resident()
	if err != nil {
		return err
	}
	fleet, err := s.fleet.Resident()
	if err != nil {
		return err
	}
	s.memory[0], s.memory[1] = append(s.memory[0], server), append(s.memory[1], fleet)
	var all tally
	for _, t := range one.tallies {
		all.Total, all.OK, all.Warning, all.Critical, all.Unknown, all.Shadowed = all.Total+t.Total, all.OK+t.OK, all.Warning+t.Warning, all.Critical+t.Critical, all.Unknown+t.Unknown, all.Shadowed+t.Shadowed
	}
	settling := ""
	if one.settling {
		settling = ", settling"
	}
	fmt.Fprintf(s.out, "%6s  %d states: %d ok, %d warning, %d critical, %d unknown, %d shadowed; %d results made; verdicts in %v, server %d MiB, fleet %d MiB%s\n",
		time.Since(s.began).Round(time.Second), all.Total, all.OK, all.Warning, all.Critical, all.Unknown, all.Shadowed, s.made.all, one.took.Round(100*time.Microsecond), server, fleet, settling)
	return nil
}

// happen has something happen to the server, and returns when it is back.
func (s *story) happen(ctx context.Context, e event) error {
	from := time.Now()
	if err := s.shut(e.kill); err != nil {
		return err
	}
	if e.away {
		timer := time.NewTimer(s.away)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	back := time.Now()
	s.comeBack()
	if err := s.made.read(); err != nil {
		return err
	}
	s.gone = append(s.gone, [2]int64{from.UnixMilli(), back.UnixMilli()})
	results, changes := s.made.between(from.UnixMilli(), back.UnixMilli())
	fmt.Fprintf(s.out, "%6s  the server was %s for %v; meanwhile %d results were made, with %d changes of state\n", time.Since(s.began).Round(time.Second), e.what,
		back.Sub(from).Round(100*time.Millisecond), results, changes)
	return s.gather(ctx, back)
}

// gather samples until all nodes are connected, and tells how long it took.
func (s *story) gather(ctx context.Context, back time.Time) error {
	tick := time.NewTicker(min(s.every, time.Second))
	defer tick.Stop()
	for {
		m, err := s.meters(ctx)
		if err != nil {
			return err
		}
		if err := s.look(ctx); err != nil {
			return err
		}
		if n := int(m["fettle_broker_nodes"]); n == s.nodes {
			fmt.Fprintf(s.out, "%6s  all nodes are connected again after %v\n", time.Since(s.began).Round(time.Second), time.Since(back).Round(100*time.Millisecond))
			return nil
		} else if time.Since(back) > catchUp+2*s.beat {
			return fmt.Errorf("after %v, %d of %d nodes are back", time.Since(back), n, s.nodes)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
