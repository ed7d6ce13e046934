package web

import (
	"fmt"
	"net/url"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// nodeAsk is what the page of a node shows. All of it stands in the URL.
type nodeAsk struct {
	Name   string // of the node, as the URL has it
	Search string // in its facts; empty: all are shown
	Where  string // a filter, of which the page says whether the node is in it; empty: none
}

// parseNodeAsk reads the URL of a node's page.
func parseNodeAsk(name string, v url.Values) (nodeAsk, error) {
	a := nodeAsk{Name: name, Search: strings.TrimSpace(v.Get("q")), Where: strings.TrimSpace(v.Get("where"))}
	if len(a.Where) > maxWhere {
		return a, fmt.Errorf("the filter has %d bytes, and a page takes %d: %w", len(a.Where), maxWhere, fettle.ErrInvalid)
	}
	return a, nil
}

// Plain gives the URL of the node's page, as forms have it.
func (a nodeAsk) Plain() string { return "/nodes/" + url.PathEscape(a.Name) }

// URL gives the link to what a shows.
func (a nodeAsk) URL() string {
	v := url.Values{}
	for key, value := range map[string]string{"q": a.Search, "where": a.Where} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if len(v) == 0 {
		return a.Plain()
	}
	return a.Plain() + "?" + v.Encode()
}

// All gives the link to the same with all facts.
func (a nodeAsk) All() string { a.Search = ""; return a.URL() }

// Unasked gives the link to the same without a filter.
func (a nodeAsk) Unasked() string { a.Where = ""; return a.URL() }
