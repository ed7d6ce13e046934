package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// follow watches a run to its end, and gives what was seen of it with an error, too. With -o jsonl each result is printed as it comes, with
// --follow each line that a node prints; on a terminal a line tells how far the run is.
func (a *app) follow(ctx context.Context, c *client.API, started *client.RunSummary, v view) (*seenRun, error) {
	seen := &seenRun{run: *started, results: []client.ResultItem{}}
	p := a.progress(ctx, c, started)
	defer p.end()
	var l *liveLines
	if v.follow {
		l = &liveLines{a: a, open: map[string]string{}, told: map[fettle.NodeID]bool{}}
	}
	for update, err := range updates(ctx, c, started.Run, v) {
		if err != nil {
			return seen, err
		}
		if update.Run != nil {
			seen.run = *update.Run
			p.set(*update.Run)
		}
		if update.Output != nil && l != nil {
			p.above(func() { l.add(update.Output) })
		}
		if update.Result == nil {
			continue
		}
		if l != nil {
			p.above(func() { l.end(update.Result) })
		}
		seen.results = append(seen.results, *update.Result)
		if a.output == "jsonl" && !v.summaryOnly && v.sieve.lets(ctx, *update.Result) {
			if err := printLine(a.stdout, update.Result); err != nil {
				return seen, err
			}
		}
	}
	return seen, nil
}

func updates(ctx context.Context, c *client.API, id fettle.RunID, v view) iter.Seq2[client.Update, error] {
	if v.follow {
		return c.Follow(ctx, id)
	}
	return c.Watch(ctx, id)
}

// liveLines prints what nodes print, each line behind its node. A line that has not come whole waits for its rest.
type liveLines struct {
	a    *app
	open map[string]string      // by node and stream: the beginning of a line
	told map[fettle.NodeID]bool // nodes of which something was shown
}

func (l *liveLines) add(o *client.OutputPiece) {
	l.told[o.Node] = true
	key := string(o.Node) + "/" + string(o.Stream)
	text := l.open[key] + o.Text
	whole, rest := "", text
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		whole, rest = text[:i+1], text[i+1:]
	}
	l.open[key] = rest
	for line := range strings.Lines(whole) {
		l.print(o.Node, string(o.Stream), line)
	}
}

// end prints what was left of a node's lines; of one that was quick, all that its result has.
func (l *liveLines) end(res *client.ResultItem) {
	for _, stream := range []string{"stdout", "stderr"} {
		key := string(res.Node) + "/" + stream
		text := l.open[key]
		if !l.told[res.Node] {
			text, _ = dataOf(*res)[stream].(string)
		}
		for line := range strings.Lines(text) {
			l.print(res.Node, stream, line)
		}
		delete(l.open, key)
	}
}

func (l *liveLines) print(node fettle.NodeID, stream, line string) {
	line = clean(strings.TrimRight(line, "\r\n"))
	if stream == "stderr" {
		line = l.a.paint(yellow, line)
	}
	fmt.Fprintf(l.a.stdout, "%s %s\n", l.a.paint(faint, string(node)+":"), line)
}

// withoutPrinted takes away what was shown as it came, so that it does not stand there twice.
func withoutPrinted(results []client.ResultItem) []client.ResultItem {
	out := make([]client.ResultItem, len(results))
	for i, res := range results {
		data := dataOf(res)
		delete(data, "stdout")
		delete(data, "stderr")
		res.Data = encoded(data)
		out[i] = res
	}
	return out
}
