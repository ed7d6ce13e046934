package client

import (
	"context"

	"github.com/fettle-dev/fettle"
)

// Output gives all that a node of a run printed while its task ran, by stream and order. ErrNotFound: no such run, or the node was not asked.
func (a *API) Output(ctx context.Context, id fettle.RunID, node fettle.NodeID) ([]OutputPiece, error) {
	p := ListOutputParams{Limit: new(int64(1000))}
	all := []OutputPiece{}
	for {
		list, err := read[OutputList](a.calls.ListOutput(ctx, string(id), string(node), &p))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Output...)
		if list.Next == "" {
			return all, nil
		}
		p.Cursor = &list.Next
	}
}
