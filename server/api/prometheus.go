package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

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
	Port    int    `query:"port" minimum:"1" maximum:"65535" default:"9100" doc:"Of every target; 9100 is node_exporter's"`
	Label   string `query:"label" doc:"Facts that become labels, with commas between: os.family becomes __meta_fettle_fact_os_family; left out: a few" example:"os.family,role"`
	Address string `query:"address" doc:"A fact that has the address; left out, or where a node lacks it: the identity" example:"networking.ip"`
}

func (a *rest) prometheusRoutes() {
	handle(a, route{
		id: "prometheus-targets", method: http.MethodGet, path: "/prometheus/sd", tag: "prometheus", need: auth.Viewer, figures: true,
		summary: "List targets for Prometheus's http_sd",
		text: "One group for each node. While the inventory is not loaded, or when the list has shrunk suddenly, the answer is 503, on which Prometheus " +
			"keeps the list that it has.",
	}, a.scrapeTargets)
}

func (a *rest) scrapeTargets(ctx context.Context, in *scrapeIn) (*output[[]ScrapeGroup], error) {
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
	groups := []ScrapeGroup{}
	for cursor := ""; ; {
		page, err := a.fleet.Find(ctx, server.FindQuery{Selection: sel, Limit: maxPage, Cursor: cursor, Facts: true})
		if err != nil {
			return nil, err
		}
		for _, n := range page.Nodes {
			groups = append(groups, form.group(n))
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(groups) == 0 && a.fleet.Settling() { // a filter over liveness or seen, before anybody has spoken
		return nil, fmt.Errorf("nobody matches, and the server has just started: %w", fettle.ErrUnavailable)
	}
	if err := a.guard.check(string(sel.Where), len(groups)); err != nil {
		return nil, err
	}
	return &output[[]ScrapeGroup]{groups}, nil
}

// scrapeForm makes groups of nodes. It is used by one goroutine.
type scrapeForm struct {
	port    string
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
	f := &scrapeForm{port: strconv.Itoa(in.Port)}
	if in.Address != "" {
		path, err := factPath(in.Address)
		if err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
		f.address = path
	}
	labels := in.Label
	if labels == "" {
		labels = defaultLabels
	}
	for _, name := range server.SplitList(labels) {
		path, err := factPath(name)
		if err != nil {
			return nil, fmt.Errorf("label: %w", err)
		}
		f.labels = append(f.labels, scrapeLabel{name: labelPrefix + "fact_" + labelName(strings.Join(path, "_")), path: path})
	}
	if len(f.labels) > maxFields {
		return nil, fmt.Errorf("label: %d facts were asked for, and %d are allowed: %w", len(f.labels), maxFields, fettle.ErrInvalid)
	}
	return f, nil
}

// group gives the target of n. Lists stand between commas, and have one at both ends, as Prometheus's own discoveries do it.
func (f *scrapeForm) group(n fettle.Node) ScrapeGroup {
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
	return ScrapeGroup{Targets: []string{net.JoinHostPort(address, f.port)}, Labels: labels}
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
