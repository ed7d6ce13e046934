package web

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of a node's history on its page.
const (
	maxChanges  = 50  // changes a page
	widestValue = 200 // characters of a value
)

// history is what changed in the facts of a node, the newest first.
type history struct {
	Path   string // the fact, and all below it; empty: all
	Rows   []changeRow
	All    string // link to the changes of all facts
	Older  string // link to the next page; empty: this is the last
	Newest string // link to the first page; empty: this is it
}

// changeRow is one leaf that changed.
type changeRow struct {
	Path     string
	URL      string // to the changes of this fact alone
	At       moment
	Then     string // link to the node as it was from then on
	Old, New valueShown
}

// valueShown is a value before or after a change.
type valueShown struct {
	Text  string
	None  bool // the node did not have the fact
	Empty bool
}

// history lists what changed in a node's facts.
func (s *site) history(ctx context.Context, id fettle.NodeID, ask nodeAsk) (history, error) {
	q := server.HistoryQuery{Node: id, Limit: maxChanges + 1, Before: ask.Before}
	if ask.History != "" {
		path, err := fettle.ParsePath(ask.History)
		if err != nil {
			return history{}, err
		}
		q.Path = path
	}
	changes, err := s.fleet.History(ctx, q)
	if err != nil {
		return history{}, err
	}
	h := history{Path: ask.History, All: ask.history("").URL() + "#history"}
	if ask.Before != 0 {
		h.Newest = ask.before(0).URL() + "#history"
	}
	if len(changes) > maxChanges {
		changes = changes[:maxChanges]
		h.Older = ask.before(changes[maxChanges-1].Seq).URL() + "#history"
	}
	slices.SortStableFunc(changes, func(a, b server.FactChange) int { // what changed together is read by name
		return cmp.Or(cmp.Compare(b.At, a.At), natural(a.Path, b.Path))
	})
	for _, c := range changes {
		h.Rows = append(h.Rows, changeRow{
			Path: c.Path, URL: ask.history(c.Path).URL() + "#history", At: s.moment(c.At), Then: ask.at(c.At).URL(), Old: valueOfChange(c.Old), New: valueOfChange(c.New),
		})
	}
	return h, nil
}

func valueOfChange(raw json.RawMessage) valueShown {
	if raw == nil {
		return valueShown{None: true}
	}
	text, _ := shown(parse(raw))
	return valueShown{Text: cut(text, widestValue), Empty: text == ""}
}
