package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// Source gives verdicts. It is safe for concurrent use.
type Source interface {
	// Verdicts gives those of every check and every group that is defined. An error says nothing of any of them.
	Verdicts(ctx context.Context) ([]fettle.Verdict, error)
	// About tells what people say of a check or a group; the zero value where they say nothing.
	About(ctx context.Context, name string) About
	// Flaps tells whether the state of a check on a node changes too often to be believed.
	Flaps(check string, node fettle.NodeID) bool
}

// About is what people say of a check or a group.
type About struct {
	Owner   string
	Runbook string // a link
	Notes   string
	Labels  map[string]string
}

// Alert is a verdict that is not ok, or that was not.
type Alert struct {
	Name     string                        `json:"name"` // of the check or group; with the value of a fact, "disk: acme"
	Check    string                        `json:"check"`
	Kind     fettle.VerdictKind            `json:"kind"`
	Fact     string                        `json:"fact,omitempty"` // by whose values the group has verdicts
	Value    string                        `json:"value,omitempty"`
	Status   fettle.CheckStatus            `json:"status"`           // the last one that is not ok
	Since    fettle.Millis                 `json:"since"`            // when it ceased to be ok
	Changed  fettle.Millis                 `json:"changed"`          // when Status began
	Fine     fettle.Millis                 `json:"fine,omitempty"`   // since when it is ok again; zero: it is not
	Ended    fettle.Millis                 `json:"ended,omitempty"`  // when that was believed; zero: it goes on
	Gone     fettle.Millis                 `json:"gone,omitempty"`   // since when nobody is counted any more; zero: somebody is
	Episode  string                        `json:"episode"`          // unlike that of any other time at which it was not ok
	Reason   string                        `json:"reason,omitempty"` // why Status is unknown without a node being so, or why it ended
	Tally    fettle.CheckTally             `json:"tally"`
	Nodes    map[fettle.CheckStatus]string `json:"nodes,omitempty"`  // folded names of those that are not ok, cut where there are many
	Output   []Line                        `json:"output,omitempty"` // the first of them
	Owner    string                        `json:"owner,omitempty"`
	Runbook  string                        `json:"runbook,omitempty"`
	Notes    string                        `json:"notes,omitempty"`
	Labels   map[string]string             `json:"labels,omitempty"`
	Silenced int                           `json:"silenced,omitempty"` // nodes that silences leave out
}

// Line is what one node says.
type Line struct {
	Node fettle.NodeID `json:"node"`
	Text string        `json:"text"`
}

// Bounds of what an alert says.
const (
	maxLines = 10
	maxText  = 300  // bytes of a line
	maxNames = 1000 // bytes of folded names of a status
	maxNodes = 2000 // that are folded
	maxName  = 180  // bytes of the name of an alert
	goneFor  = 24 * 60 * 60 * 1000
)

// nameOf gives the name of the alert of a verdict: one that is too long ends in its hash.
func nameOf(check, value string) string {
	if value == "" {
		return check
	}
	name := check + ": " + value
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return cut(name, maxName-20) + "…" + hex.EncodeToString(sum[:8])
}

// cut shortens s to at most n bytes, and does not split a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// describe has a say what v says.
func (a *Alert) describe(v fettle.Verdict, about About) {
	a.Kind, a.Tally, a.Reason, a.Silenced = v.Kind, v.Tally, v.Reason, v.Tally.Silenced
	a.Owner, a.Runbook, a.Notes, a.Labels = about.Owner, about.Runbook, cut(about.Notes, 2000), maps.Clone(about.Labels)
	a.Nodes, a.Output = map[fettle.CheckStatus]string{}, nil
	for _, status := range []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckUnknown, fettle.CheckWarning} {
		nodes := v.Nodes[status]
		if len(nodes) == 0 {
			continue
		}
		names := nagios.Fold(nodes[:min(len(nodes), maxNodes)])
		if len(names) > maxNames || len(nodes) > maxNodes {
			names = cut(names, maxNames) + "…"
		}
		a.Nodes[status] = names
		for _, node := range nodes {
			if text := v.Output[node]; text != "" && len(a.Output) < maxLines {
				a.Output = append(a.Output, Line{node, cut(text, maxText)})
			}
		}
	}
	for _, m := range v.Members {
		if m.Status != fettle.CheckOK && len(a.Output) < maxLines {
			a.Output = append(a.Output, Line{fettle.NodeID(m.Name), cut(strings.TrimSpace(string(m.Status)+" "+m.Reason), maxText)})
		}
	}
}

// Summary is one line that says what is wrong.
func (a *Alert) Summary() string {
	if a.Ended != 0 {
		return strings.TrimSpace(a.Name + " is ok again " + parens(a.Reason))
	}
	return fmt.Sprintf("%s is %s: %s", a.Name, a.Status, a.counts())
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// counts says how many of how many are how.
func (a *Alert) counts() string {
	if a.Reason != "" {
		return a.Reason
	}
	what := "nodes"
	if a.Kind == fettle.KindGroup {
		what = "members"
	}
	t := a.Tally
	var parts []string
	for _, one := range []struct {
		n    int
		word string
	}{{t.Critical, "critical"}, {t.Unknown, "unknown"}, {t.Warning, "warning"}, {t.Silent, "silent"}, {t.Silenced, "silenced"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.word))
		}
	}
	return fmt.Sprintf("of %d %s %s", t.Total, what, strings.Join(parts, ", "))
}

// Link is the page about the alert.
func (a *Alert) Link(base string) string {
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(base, "/") + "/checks/" + url.PathEscape(a.Check)
}

// episode names a time at which an alert goes on.
func episode(name string, since fettle.Millis) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", name, since))
	return hex.EncodeToString(sum[:10])
}
