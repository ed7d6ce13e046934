package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Aim is how a query string says which nodes are meant. With neither parameter a list is of everything; one that is there and empty is refused,
// because a script whose variable is empty means something else.
type Aim struct {
	Where string `query:"where" doc:"A filter in CEL; left out: all nodes. It must not be empty" example:"facts.os.family == \"Debian\""`
	Short string `query:"short" doc:"Instead of where: a filter in the short form" example:"os.family=Debian cores>=8"`
	AsOf  string `query:"as_of" doc:"The moment that is asked about, RFC 3339; left out: now. Facts are as they were then, classes as they are now" example:"2026-11-14T09:00:00Z"`

	given bool // one of the two stands in the query string
}

// Resolve notes whether a filter was given at all.
func (a *Aim) Resolve(ctx huma.Context) []error {
	url := ctx.URL()
	q := url.Query()
	a.given = q.Has("where") || q.Has("short")
	return nil
}

// selection gives the nodes that are meant.
func (a *Aim) selection() (server.Selection, error) {
	at, err := asOf(a.AsOf)
	if err != nil || !a.given {
		return server.Selection{All: true, AsOf: at}, err
	}
	where, err := filterOf(a.Where, a.Short)
	return server.Selection{Where: where, AsOf: at}, err
}

// asOf reads a moment of the past; zero: now.
func asOf(text string) (fettle.Millis, error) { return readMoment("as_of", text) }

// readMoment reads the moment that a parameter gives; zero: it was left out.
func readMoment(parameter, text string) (fettle.Millis, error) {
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no moment such as 2026-11-14T09:00:00Z: %w", parameter, text, fettle.ErrInvalid)
	}
	return fettle.MillisOf(t), nil
}

// readNode reads the identity that a parameter gives; empty: it was left out.
func readNode(text string) (fettle.NodeID, error) {
	if text == "" {
		return "", nil
	}
	return fettle.ParseNodeID(text)
}

// readCursor reads a cursor that is the number of the last thing on the page before; zero: it was left out.
func readCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, strayCursor(text)
	}
	return n, nil
}

func strayCursor(text string) error {
	return fmt.Errorf("cursor %q is none of ours: %w", text, fettle.ErrInvalid)
}

// filterOf gives the filter in CEL, of the two spellings in which one can be given.
func filterOf(where, short string) (fettle.Filter, error) {
	switch {
	case strings.TrimSpace(where) == "" && strings.TrimSpace(short) == "":
		return "", fmt.Errorf("the filter is empty, which never means every node: leave it out, or say \"all\": %w", fettle.ErrInvalid)
	case where != "" && short != "":
		return "", fmt.Errorf("where and short are two spellings of a filter, and one is wanted: %w", fettle.ErrInvalid)
	case short != "":
		return server.ShortForm(short)
	}
	return fettle.Filter(where), nil
}

// Target is how a body says which nodes are meant: exactly one of its fields.
type Target struct {
	Where  string `json:"where,omitempty" doc:"A filter in CEL"`
	Short  string `json:"short,omitempty" doc:"A filter in the short form"`
	All    bool   `json:"all,omitempty" doc:"Every node, on purpose"`
	Roster string `json:"roster,omitempty" doc:"The id of a preview: exactly its nodes"`
}

// selection gives the nodes that are meant.
func (t Target) selection() (server.Selection, error) {
	sel := server.Selection{All: t.All, Roster: t.Roster}
	if t.Where == "" && t.Short == "" {
		if !t.All && t.Roster == "" {
			return sel, fmt.Errorf("no nodes are named: give where, short, all or roster: %w", fettle.ErrInvalid)
		}
		return sel, nil
	}
	var err error
	sel.Where, err = filterOf(t.Where, t.Short)
	return sel, err
}
