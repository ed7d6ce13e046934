package api

import (
	"context"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// ChangeItem is one leaf of a node's facts that changed.
type ChangeItem struct {
	Path string    `json:"path"`
	At   time.Time `json:"at" doc:"By the server's clock"`
	Old  Value     `json:"old,omitempty" doc:"Left out: it was not there"`
	New  Value     `json:"new,omitempty" doc:"Left out: it is not there any more"`
}

// ChangeList is a page of what changed, the newest first.
type ChangeList struct {
	Changes []ChangeItem `json:"changes"`
	Next    string       `json:"next"`
}

type historyIn struct {
	Identity string `path:"identity" maxLength:"253" doc:"The node's name"`
	Path     string `query:"path" maxLength:"4096" doc:"A fact, and all below it; left out: all" example:"os.release"`
	Limit    int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Changes a page"`
	Cursor   string `query:"cursor" doc:"next of the page before"`
}

func (a *rest) showHistory(ctx context.Context, in *historyIn) (*output[ChangeList], error) {
	id, err := fettle.ParseNodeID(in.Identity)
	if err != nil {
		return nil, err
	}
	q := server.HistoryQuery{Node: id, Limit: in.Limit}
	if in.Path != "" {
		if q.Path, err = fettle.ParsePath(in.Path); err != nil {
			return nil, err
		}
	}
	if q.Before, err = readCursor(in.Cursor); err != nil {
		return nil, err
	}
	changes, err := a.fleet.History(ctx, q)
	if err != nil {
		return nil, err
	}
	list := ChangeList{Changes: make([]ChangeItem, 0, len(changes))}
	for _, c := range changes {
		list.Changes = append(list.Changes, ChangeItem{Path: c.Path, At: c.At.Time(), Old: Value(c.Old), New: Value(c.New)})
	}
	if len(changes) == in.Limit {
		list.Next = strconv.FormatInt(changes[len(changes)-1].Seq, 10)
	}
	return &output[ChangeList]{list}, nil
}
