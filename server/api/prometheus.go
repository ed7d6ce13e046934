package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// ScrapeGroup is one target of Prometheus's http_sd.
type ScrapeGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// labelPrefix begins the names of all labels; Prometheus drops them after relabelling.
const labelPrefix = "__meta_fettle_"

// defaultLabels are the facts that become labels where none are asked for: those that dashboards are cut by, and cheap at any size.
const defaultLabels = "os.family,os.name,os.release.major,kernel,virtual"

type scrapeIn struct {
	Aim
	Port    string `query:"port" default:"9100" doc:"Of every target, or a fact that has it; nodes without that fact are left out. 9100 is node_exporter's" example:"9100"`
	Label   string `query:"label" doc:"Facts that become labels, with commas between: os.family becomes __meta_fettle_fact_os_family, and site=facts.dc a label site that stays; left out: a few" example:"os.family,role"`
	Labels  string `query:"labels" doc:"The same as label"`
	Address string `query:"address" doc:"A fact that has the address; left out, or where a node lacks it: the identity" example:"networking.ip"`
	ScrapeRule
}

// ScrapeRule is how a question has its list guarded, where that differs from the server's settings.
type ScrapeRule struct {
	Shrink string `query:"shrink_to" doc:"Percent of its last length below which the list is held; 0: it is not. Left out: as the server's settings have it" example:"80"`
	Hold   string `query:"hold" doc:"How long it is held before it is taken to be meant, at most 168h. Left out: as the server's settings have it" example:"1h"`
}

// over gives a rule with what the question says of it.
func (r ScrapeRule) over(rule shrinkRule) (shrinkRule, error) {
	if r.Shrink != "" {
		percent, err := strconv.ParseFloat(strings.TrimSuffix(r.Shrink, "%"), 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return rule, fmt.Errorf("shrink_to: %q is no percentage between 0 and 100: %w", r.Shrink, fettle.ErrInvalid)
		}
		rule.part = percent / 100
	}
	if r.Hold != "" {
		span, err := time.ParseDuration(r.Hold)
		if err != nil || span <= 0 || span > MaxShrinkHold {
			return rule, fmt.Errorf("hold: %q is no time such as 10m, above 0 and at most %s: %w", r.Hold, MaxShrinkHold, fettle.ErrInvalid)
		}
		rule.hold = span
	}
	return rule, nil
}

func (a *rest) prometheusRoutes() {
	handle(a, route{
		id: "prometheus-targets", method: http.MethodGet, path: "/prometheus/sd", tag: "prometheus", need: auth.Viewer, figures: true,
		summary: "List targets for Prometheus's http_sd",
		text: "One group for each node; nobody is an empty list. When a list has suddenly become much shorter, the last one is given out for a while (settings " +
			"sd-shrink-to and sd-hold), and the header Fettle-Held says so. While the inventory is not loaded the answer is 503, on which Prometheus keeps the list that it has.",
	}, a.scrapeTargets)
	handle(a, route{
		id: "list-target-lists", method: http.MethodGet, path: "/prometheus/sd/lists", tag: "prometheus", need: auth.Viewer,
		summary: "List the lists of targets that are guarded",
		text:    "One for each question that was asked since the server's start; those that are held come first.",
	}, a.scrapeLists)
	handle(a, route{
		id: "release-targets", method: http.MethodPost, path: "/prometheus/sd/release", tag: "prometheus", need: auth.Operator,
		summary: "Release lists of targets that are held",
		text:    "They are given out as they are, however short. Left alone they are when their time is over.",
	}, a.releaseTargets)
}

// heldList is a list of targets, and why it is not the one of now.
type heldList struct {
	Held string `header:"Fettle-Held"`
	Body []ScrapeGroup
}

func (a *rest) scrapeTargets(ctx context.Context, in *scrapeIn) (*heldList, error) {
	if err := a.fleet.Ready(ctx); err != nil {
		return nil, fmt.Errorf("the list of targets would not be whole: %w", err)
	}
	sel, err := in.selection()
	if err != nil {
		return nil, err
	}
	form, err := newScrapeForm(in)
	if err != nil {
		return nil, err
	}
	rule, err := in.over(shrinkRule{max(a.cfg.ShrinkTo, 0), a.cfg.ShrinkHold})
	if err != nil {
		return nil, err
	}
	groups := []ScrapeGroup{}
	for cursor := ""; ; {
		page, err := a.fleet.Find(ctx, server.FindQuery{Selection: sel, Limit: maxPage, Cursor: cursor, Facts: true})
		if err != nil {
			return nil, err
		}
		for _, n := range page.Nodes {
			if group, ok := form.group(n); ok {
				groups = append(groups, group)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(groups) == 0 && a.fleet.Settling() { // a filter over liveness or seen, before anybody has spoken
		return nil, fmt.Errorf("nobody matches, and the server has just started: %w", fettle.ErrUnavailable)
	}
	if sel.AsOf != 0 { // the past does not shrink
		return &heldList{Body: groups}, nil
	}
	groups, why, err := a.guard.pass(scrapeQuestion{string(sel.Where), in.Port, in.Address, strings.Trim(in.Label+","+in.Labels, ","), rule}, groups)
	if err != nil {
		return nil, err
	}
	return &heldList{why, groups}, nil
}

// scrapeForm makes groups of nodes. It is used by one goroutine.
type scrapeForm struct {
	port    string      // empty: portOf has it
	portOf  fettle.Path // nil: port
	address fettle.Path // nil: the identity
	labels  []scrapeLabel
	parser  fastjson.Parser
}

// scrapeLabel is a fact that becomes a label.
type scrapeLabel struct {
	name string
	path fettle.Path
}

func newScrapeForm(in *scrapeIn) (*scrapeForm, error) {
	f := &scrapeForm{port: in.Port}
	if n, err := strconv.Atoi(in.Port); err != nil {
		if f.portOf, err = factPath(in.Port); err != nil {
			return nil, fmt.Errorf("port: it is neither a number nor a fact: %w", err)
		}
	} else if n < 1 || n > 65535 {
		return nil, fmt.Errorf("port: %d is not between 1 and 65535: %w", n, fettle.ErrInvalid)
	}
	if in.Address != "" {
		path, err := factPath(in.Address)
		if err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
		f.address = path
	}
	labels := strings.Trim(in.Label+","+in.Labels, ",")
	if labels == "" {
		labels = defaultLabels
	}
	for _, text := range server.SplitList(labels) {
		label, err := parseLabel(text)
		if err != nil {
			return nil, err
		}
		f.labels = append(f.labels, label)
	}
	if len(f.labels) > maxFields {
		return nil, fmt.Errorf("label: %d facts were asked for, and %d are allowed: %w", len(f.labels), maxFields, fettle.ErrInvalid)
	}
	return f, nil
}

// parseLabel reads a fact, or name=fact for a label of that name, which Prometheus keeps.
func parseLabel(text string) (scrapeLabel, error) {
	name, fact, named := strings.Cut(text, "=")
	if !named {
		fact = text
	}
	path, err := factPath(fact)
	if err != nil {
		return scrapeLabel{}, fmt.Errorf("label: %w", err)
	}
	if !named {
		return scrapeLabel{labelPrefix + "fact_" + labelName(strings.Join(path, "_")), path}, nil
	}
	if name == "" || name != labelName(name) || strings.HasPrefix(name, "__") || name[0] >= '0' && name[0] <= '9' {
		return scrapeLabel{}, fmt.Errorf("label: %q is no name of a label: letters, digits and _: %w", name, fettle.ErrInvalid)
	}
	return scrapeLabel{name, path}, nil
}

// group gives the target of n; not ok: it has no port. Lists stand between commas, and have one at both ends, as Prometheus's own discoveries do it.
func (f *scrapeForm) group(n fettle.Node) (group ScrapeGroup, ok bool) {
	var facts *fastjson.Value
	if len(n.Facts) > 0 {
		facts, _ = f.parser.ParseBytes(n.Facts) // the inventory holds valid documents only; nil has no values
	}
	address := string(n.Identity)
	if f.address != nil {
		if text, ok := labelValue(facts.Get(f.address...)); ok && text != "" {
			address = text
		}
	}
	port := f.port
	if f.portOf != nil {
		text, _ := labelValue(facts.Get(f.portOf...))
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 {
			return ScrapeGroup{}, false
		}
		port = text
	}
	labels := map[string]string{
		labelPrefix + "identity": string(n.Identity),
		labelPrefix + "liveness": string(n.Liveness),
		labelPrefix + "classes":  labelList(n.Classes),
		labelPrefix + "pools":    labelList(n.Pools),
	}
	for key, value := range n.Labels {
		labels[labelPrefix+"label_"+labelName(key)] = value
	}
	for _, l := range f.labels {
		if text, ok := labelValue(facts.Get(l.path...)); ok {
			labels[l.name] = text
		}
	}
	return ScrapeGroup{Targets: []string{net.JoinHostPort(address, port)}, Labels: labels}, true
}

func labelList(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "," + strings.Join(list, ",") + ","
}

// labelValue writes a fact as a label's value; not ok: there is none, or it is an object.
func labelValue(v *fastjson.Value) (string, bool) {
	if v == nil {
		return "", false
	}
	switch v.Type() {
	case fastjson.TypeString:
		return string(v.GetStringBytes()), true
	case fastjson.TypeNumber, fastjson.TypeTrue, fastjson.TypeFalse:
		return v.String(), true
	case fastjson.TypeArray:
		var list []string
		for _, item := range v.GetArray() {
			text, ok := labelValue(item)
			if !ok {
				return "", false
			}
			list = append(list, text)
		}
		return labelList(list), true
	}
	return "", false
}

// labelName turns a key into what may stand in a label's name.
func labelName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

// factPath reads a path that may begin with facts.
func factPath(s string) (fettle.Path, error) {
	path, err := fettle.ParsePath(s)
	if err == nil && len(path) > 1 && path[0] == "facts" {
		path = path[1:]
	}
	return path, err
}
