package agent

import (
	"context"
	"encoding/json"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// One message of results is bounded so that a slow link gives a receipt within its timeout.
const (
	batchEntries = 64
	batchBytes   = 256 << 10
)

// sendResults sends what the spool holds, until the window is full. Of results of checks one message is on its way at a time: the server folds
// them in the order in which they were sent, and what was overtaken would be of the past.
func (a *Agent) sendResults() {
	for a.welcomed {
		var without []wire.Class
		if a.checksFlying {
			without = []wire.Class{wire.ClassCheck}
		}
		entries := a.spool.Take(batchEntries, batchBytes, without...)
		if len(entries) == 0 {
			return
		}
		ids, checks := make([]string, len(entries)), false
		for i, e := range entries {
			ids[i] = e.ID
			checks = checks || e.Class == wire.ClassCheck
		}
		m, err := a.results(entries)
		if err != nil {
			a.log.Error("results that cannot be sent are dropped", "err", err)
			a.spool.Done(ids...)
			continue
		}
		err = a.link.Post(a.dest.Results(), m, func(err error) {
			a.inbox.put(func(context.Context) {
				a.checksFlying = a.checksFlying && !checks
				a.arrived(ids, err)
			})
		})
		if err != nil {
			a.spool.Release(ids...)
			return // the next receipt, or the next connection, brings us back
		}
		a.flying++
		a.checksFlying = a.checksFlying || checks
	}
}

// results makes one message of entries.
func (a *Agent) results(entries []wire.Entry) (wire.Message, error) {
	list := make([]json.RawMessage, 0, len(entries))
	for _, e := range entries {
		body := e.Body
		if e.Count > 1 {
			var r fettle.Result
			if err := json.Unmarshal(body, &r); err != nil {
				return wire.Message{}, err
			}
			r.Count = e.Count
			body = encodeResult(r)
		}
		list = append(list, body)
	}
	a.sent++
	return a.seal(wire.TypeResults, struct { // wire.Results, with results that are JSON already
		Session string            `json:"session"`
		Seq     int64             `json:"seq"`
		Results []json.RawMessage `json:"results"`
	}{a.session, a.sent, list})
}

// arrived is called when entries have their receipt, or when that will never be known.
func (a *Agent) arrived(ids []string, err error) {
	a.flying--
	if err == nil {
		err = a.ledger.sync() // the spool is what knows of these results, until the ledger does on disk
	}
	if err != nil {
		a.spool.Release(ids...)
		return
	}
	a.spool.Done(ids...)
	for _, id := range ids {
		a.tasks.arrived(fettle.TaskID(id))
	}
}
