package main

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// client gives the server that the context names, asked as any stranger would: by the client that is generated from the OpenAPI document.
func (a *app) client() (*client.API, error) {
	where, err := findContext(a.context)
	if err != nil {
		return nil, err
	}
	where = where.trusting(a.ca)
	a.where = where
	return client.New(where.URL, where.Token, where.CA)
}

// pointer gives a parameter that may be left out: nil for the zero value.
func pointer[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// question is what find asks.
type question struct {
	where  fettle.Filter // empty: every node
	limit  int           // zero: all that match
	fields string
	sort   string // a fact; empty: by identity
	desc   bool
	count  bool
	asOf   string // RFC 3339; empty: now
	since  string // RFC 3339; empty: also nodes for which the filter has been true for long
}

// findPage is how many nodes are fetched at a time.
const findPage = 5000

// find follows the cursors to the end, or to the limit.
func find(ctx context.Context, c *client.API, q question) (*client.NodeList, error) {
	p := client.FindNodesParams{
		Where: pointer(string(q.where)), Fields: pointer(q.fields), Sort: pointer(q.sort), Desc: pointer(q.desc), Count: pointer(q.count), AsOf: pointer(q.asOf),
		BecameTrueSince: pointer(q.since),
	}
	nodes := []client.NodeItem{}
	for {
		page := int64(findPage)
		if q.limit > 0 {
			page = min(page, int64(q.limit-len(nodes)))
		}
		p.Limit = &page
		list, err := c.Find(ctx, &p)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, list.Nodes...)
		if list.Next == "" || q.limit > 0 && len(nodes) >= q.limit {
			list.Nodes = nodes
			return list, nil
		}
		p.Cursor = &list.Next
	}
}
