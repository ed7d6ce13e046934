package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of the board.
const (
	boardRows = 100  // verdicts a page has at first
	boardMost = 1000 // and at most: past that a person has left it to a search
)

// boardAsk is what the board shows. All of it stands in the URL.
type boardAsk struct {
	Text   string             // in the name, the owner, a label or the line; empty: all
	Status fettle.CheckStatus // empty: all; notOK: whatever is not ok
	Owner  string
	Label  string // key=value, or a key
	Limit  int    // rows
}

// notOK stands in the URL for every status but ok.
const notOK fettle.CheckStatus = "bad"

func parseBoardAsk(v url.Values) boardAsk {
	a := boardAsk{
		Text: cut(strings.TrimSpace(v.Get("q")), maxCell), Status: fettle.CheckStatus(v.Get("status")), Owner: strings.TrimSpace(v.Get("owner")),
		Label: strings.TrimSpace(v.Get("label")), Limit: boardRows,
	}
	if !slices.Contains(append(boardStatuses(), notOK), a.Status) {
		a.Status = ""
	}
	if n, err := strconv.Atoi(v.Get("limit")); err == nil {
		a.Limit = max(boardRows, min(n, boardMost))
	}
	return a
}

// boardStatuses are the statuses of verdicts, the worst first.
func boardStatuses() []fettle.CheckStatus {
	return []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckUnknown, fettle.CheckWarning, fettle.CheckOK}
}

// URL gives the link to what a shows.
func (a boardAsk) URL() string {
	v := url.Values{}
	limit := ""
	if a.Limit > boardRows {
		limit = strconv.Itoa(a.Limit)
	}
	for key, value := range map[string]string{"q": a.Text, "status": string(a.Status), "owner": a.Owner, "label": a.Label, "limit": limit} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if len(v) == 0 {
		return "/checks"
	}
	return "/checks?" + v.Encode()
}

func (a boardAsk) status(s fettle.CheckStatus) boardAsk { a.Status, a.Limit = s, boardRows; return a }

func (a boardAsk) more() boardAsk { a.Limit = min(a.Limit+boardRows, boardMost); return a }

// Narrow tells whether anything is left out on purpose.
func (a boardAsk) Narrow() bool {
	return a.Text != "" || a.Status != "" || a.Owner != "" || a.Label != ""
}

// takes tells whether a verdict is among those that are asked for, its status aside.
func (a boardAsk) takes(v *verdictRow) bool {
	if a.Owner != "" && v.Owner != a.Owner {
		return false
	}
	if key, value, given := strings.Cut(a.Label, "="); key != "" {
		if has, ok := v.about.Labels[key]; !ok || given && has != value {
			return false
		}
	}
	text := strings.ToLower(a.Text)
	return text == "" || strings.Contains(strings.ToLower(v.Name), text) || strings.Contains(strings.ToLower(v.Owner), text) ||
		slices.ContainsFunc(v.Labels, func(l string) bool { return strings.Contains(strings.ToLower(l), text) })
}

// takesStatus tells whether a verdict's status is asked for.
func (a boardAsk) takesStatus(s fettle.CheckStatus) bool {
	return a.Status == "" || a.Status == s || a.Status == notOK && s != fettle.CheckOK
}
