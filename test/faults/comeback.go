//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// Promises of a restart.
const (
	backWithin = time.Minute
	maxLogins  = 6000 // in any second: the broker lets in two seconds' worth at once
)

// measureReturn kills the server, starts it again, and follows the agents' logins until all are back.
func (h *house) measureReturn(ctx context.Context, out io.Writer) error {
	if err := wait(ctx, 3*time.Minute, "all nodes answer before", func(ctx context.Context) error { return h.isWell(ctx) }); err != nil {
		return err
	}
	before := h.server
	if err := h.killServer(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d nodes; the server is killed (it had %d MiB) and started again after %v\n", h.nodes, h.serverTops, h.down)
	pause(ctx, h.down)
	if err := h.startServer(ctx); err != nil || h.server == before {
		return errors.Join(errors.New("the server was not started again"), err)
	}
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	fmt.Fprintf(out, "%8s %8s %10s %10s\n", "second", "logins", "put off", "connected")
	for last, most := 0.0, 0.0; ; {
		<-tick.C
		m, err := h.meters(ctx)
		if err != nil {
			return err
		}
		logins, nodes := m["fettle_broker_logins_total"], m["fettle_broker_nodes"]
		most = max(most, logins-last)
		took := time.Since(began)
		fmt.Fprintf(out, "%8.0f %8.0f %10.0f %10.0f\n", took.Seconds(), logins-last, m["fettle_broker_deferred_logins_total"], nodes)
		last = logins
		if int(nodes) == h.nodes {
			fmt.Fprintf(out, "all are back after %v; at most %.0f logins in a second\n", took.Round(time.Second), most)
			if most > maxLogins {
				return fmt.Errorf("%.0f nodes logged in within a second: a stampede", most)
			}
			break
		}
		if took > backWithin {
			return fmt.Errorf("after %v, %.0f of %d nodes are back", took, nodes, h.nodes)
		}
	}
	if err := wait(ctx, time.Minute, "every node answers", h.isWell); err != nil {
		return err
	}
	h.weigh()
	fmt.Fprintf(out, "all have answered after %v; server %d MiB at most\n", time.Since(began).Round(100*time.Millisecond), h.serverTops)
	return nil
}

// meters reads /metrics, without what has labels.
func (h *house) meters(ctx context.Context) (map[string]float64, error) {
	return proc.Meters(ctx, "http://"+h.http+"/metrics", "")
}
