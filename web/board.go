package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
)

// boardPage is every verdict there is, the worst first: groups, then checks.
type boardPage struct {
	base
	Ask      boardAsk
	Chips    []chip
	Owners   []string // to choose from; at most maxOwners
	Groups   []verdictRow
	Checks   []verdictRow
	Found    int // that are asked for, groups and checks
	Left     int // of those that are not shown
	More     string
	Total    int // whatever is asked for
	Settling bool
	Same     []command
}

// maxOwners bounds the owners to choose from: past that a person types a name.
const maxOwners = 50

// chip is one status, how many verdicts have it, and the link to those.
type chip struct {
	Status fettle.CheckStatus // empty: all
	Word   string
	Count  int
	URL    string
	Chosen bool
}

// verdictRow is one verdict of the board.
type verdictRow struct {
	Name   string
	URL    string
	ID     string // of its element
	Kind   fettle.VerdictKind
	Status fettle.CheckStatus
	Since  moment
	Bar    tallyBar
	Owner  string
	Labels []string // key=value, sorted
	Worst  []placed // the nodes, or members, that are not ok, by status
	Reason string
	about  about
	since  fettle.Millis
	bad    int
}

// placed is the nodes that have a status.
type placed struct {
	Status fettle.CheckStatus
	folded
}

// about is what a check's, or a group's, definition says for people.
type about struct {
	Owner, Notes, Runbook string
	Labels                map[string]string
	DependsOn             []string
	Remedy                *fettle.Remedy
	Filter                fettle.Filter
	By                    string // the fact by whose values a group is judged, too
}

// board draws the board; for htmx what follows the search.
func (s *site) board(c *gin.Context) error {
	ctx := c.Request.Context()
	p := boardPage{base: s.base(c, "Checks", "checks"), Ask: parseBoardAsk(c.Request.URL.Query())}
	p.Live = true
	verdicts, err := s.fleet.Verdicts(ctx)
	if err != nil {
		return err
	}
	abouts, err := s.abouts(ctx)
	if err != nil {
		return err
	}
	p.fill(s, verdicts, abouts)
	p.Same = commandsOfBoard(c.Request)
	if partly(c) {
		c.Header("HX-Replace-Url", p.Ask.URL())
		return s.draw(c, http.StatusOK, "checks.html", "board", p)
	}
	return s.draw(c, http.StatusOK, "checks.html", "layout", p)
}

// abouts gives what the definitions say, by name.
func (s *site) abouts(ctx context.Context) (map[string]about, error) {
	list, err := s.fleet.CheckDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]about, len(list))
	for _, c := range list {
		out[c.Name] = about{Owner: c.Owner, Notes: c.Notes, Runbook: c.Runbook, Labels: c.Labels, DependsOn: c.DependsOn, Remedy: c.OnChange, Filter: c.Filter}
	}
	for _, g := range s.fleet.Groups(ctx) {
		out[g.Name] = about{Owner: g.Owner, Notes: g.Notes, Runbook: g.Runbook, Labels: g.Labels, By: g.By}
	}
	return out, nil
}

// fill lists the verdicts that are asked for, the worst first, as many as a page has.
func (p *boardPage) fill(s *site, verdicts []fettle.Verdict, abouts map[string]about) {
	counts, owners := map[fettle.CheckStatus]int{}, map[string]bool{}
	var rows []verdictRow
	for i := range verdicts {
		v := &verdicts[i]
		p.Total++
		p.Settling = p.Settling || v.Settling
		row := verdictRow{
			Name: v.Check, URL: "/checks/" + url.PathEscape(v.Check), ID: "v-" + v.Check, Kind: kindOf(v), Status: v.Status, Reason: v.Reason,
			since: v.Since, about: abouts[v.Check], bad: ailing(v),
		}
		row.Owner, row.Labels = row.about.Owner, labelTexts(row.about.Labels)
		if owners[row.Owner] = true; !p.Ask.takes(&row) {
			continue
		}
		counts[v.Status]++
		if p.Ask.takesStatus(v.Status) {
			rows = append(rows, row)
			rows[len(rows)-1].Bar = checkBar(v.Tally)
		}
	}
	p.chips(counts)
	delete(owners, "")
	p.Owners = slices.Sorted(maps.Keys(owners))
	p.Owners = p.Owners[:min(len(p.Owners), maxOwners)]
	slices.SortFunc(rows, worseFirst)
	p.Found = len(rows)
	if p.Left = len(rows) - p.Ask.Limit; p.Left > 0 {
		rows = rows[:p.Ask.Limit]
		if p.Ask.Limit < boardMost {
			p.More = p.Ask.more().URL()
		}
	}
	byName := make(map[string]*fettle.Verdict, len(rows))
	for i := range verdicts {
		byName[verdicts[i].Check] = &verdicts[i]
	}
	for _, row := range rows {
		row.Since, row.Worst = s.moment(row.since), worst(byName[row.Name], foldedWide)
		if row.Kind == fettle.KindGroup {
			p.Groups = append(p.Groups, row)
		} else {
			p.Checks = append(p.Checks, row)
		}
	}
}

func (p *boardPage) chips(counts map[fettle.CheckStatus]int) {
	all, bad := 0, 0
	for s, n := range counts {
		if all += n; s != fettle.CheckOK {
			bad += n
		}
	}
	add := func(s fettle.CheckStatus, word string, n int) {
		p.Chips = append(p.Chips, chip{Status: s, Word: word, Count: n, URL: p.Ask.status(s).URL(), Chosen: p.Ask.Status == s})
	}
	add("", "all", all)
	add(notOK, "not ok", bad)
	for _, s := range boardStatuses() {
		add(s, string(s), counts[s])
	}
}

// worseFirst orders groups before checks, then by status, by how many are bad, and by name.
func worseFirst(a, b verdictRow) int {
	return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(severity(b.Status), severity(a.Status)), cmp.Compare(b.bad, a.bad), natural(a.Name, b.Name))
}

// severity orders the statuses of verdicts: what nobody knows is worse than a warning.
func severity(s fettle.CheckStatus) int {
	switch s {
	case fettle.CheckCritical:
		return 3
	case fettle.CheckUnknown:
		return 2
	case fettle.CheckWarning:
		return 1
	}
	return 0
}

func kindOf(v *fettle.Verdict) fettle.VerdictKind { return cmp.Or(v.Kind, fettle.KindCheck) }

// ailing is how many nodes, or members, are not ok.
func ailing(v *fettle.Verdict) int { return v.Tally.Critical + v.Tally.Unknown + v.Tally.Warning }

// worst gives the nodes of a verdict that are not ok, by status, the worst first; of a group its members.
func worst(v *fettle.Verdict, wide int) (out []placed) {
	for _, status := range []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckUnknown, fettle.CheckWarning} {
		ids := v.Nodes[status]
		if v.Kind == fettle.KindGroup {
			ids = nil
			for _, m := range v.Members {
				if m.Status == status {
					ids = append(ids, fettle.NodeID(m.Name))
				}
			}
		}
		if len(ids) > 0 {
			out = append(out, placed{status, fold(ids, wide)})
		}
	}
	return out
}

func labelTexts(labels map[string]string) []string {
	out := make([]string, 0, len(labels))
	for key, value := range labels {
		out = append(out, key+"="+value)
	}
	slices.Sort(out)
	return out
}
