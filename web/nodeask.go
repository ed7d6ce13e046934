package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// nodeAsk is what the page of a node shows. All of it stands in the URL.
type nodeAsk struct {
	Name   string        // of the node, as the URL has it
	Search string        // in its facts; empty: all are shown
	Where  string        // a filter, of which the page says whether the node is in it; empty: none
	AsOf   fettle.Millis // the moment that is asked about; zero: now
	// History is the fact whose changes are listed, with all below it; empty: all. Before is the last change of the page before; zero: from the newest.
	History string
	Before  int64
}

// parseNodeAsk reads the URL of a node's page.
func parseNodeAsk(name string, v url.Values) (nodeAsk, error) {
	a := nodeAsk{Name: name, Search: strings.TrimSpace(v.Get("q")), Where: strings.TrimSpace(v.Get("where"))}
	if len(a.Where) > maxWhere {
		return a, fmt.Errorf("the filter has %d bytes, and a page takes %d: %w", len(a.Where), maxWhere, fettle.ErrInvalid)
	}
	var err error
	if a.AsOf, err = parseMoment(v.Get("as_of")); err != nil {
		return a, err
	}
	if text := v.Get("before"); text != "" {
		if a.Before, err = strconv.ParseInt(text, 10, 64); err != nil {
			return a, fmt.Errorf("before %q is no change of ours: %w", cut(text, maxCell), fettle.ErrInvalid)
		}
	}
	a.History, err = spelled("history", strings.TrimSpace(v.Get("history")))
	return a, err
}

// Plain gives the URL of the node's page, as forms have it.
func (a nodeAsk) Plain() string { return "/nodes/" + url.PathEscape(a.Name) }

// URL gives the link to what a shows.
func (a nodeAsk) URL() string {
	v := url.Values{}
	before := ""
	if a.Before != 0 {
		before = strconv.FormatInt(a.Before, 10)
	}
	for key, value := range map[string]string{"q": a.Search, "where": a.Where, "as_of": a.Moment(), "history": a.History, "before": before} {
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

// Moment gives the moment that is asked about as the URL has it; empty: now.
func (a nodeAsk) Moment() string { return momentText(a.AsOf) }

// Now gives the link to the same as of now.
func (a nodeAsk) Now() string { return a.at(0).URL() }

func (a nodeAsk) at(moment fettle.Millis) nodeAsk { a.AsOf = moment; return a }

func (a nodeAsk) history(path string) nodeAsk { a.History, a.Before = path, 0; return a }

func (a nodeAsk) before(seq int64) nodeAsk { a.Before = seq; return a }
