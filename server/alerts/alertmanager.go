package alerts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Alertmanager is told of alerts by its API, version 2. Several are told the same, as those of one cluster want it.
type Alertmanager struct {
	URLs []string `yaml:"urls"` // http://alertmanager:9093, with the path before /api where there is one
	// ValidFor is how long an alert stands there when nothing is heard of us: a server that is away for less resolves nothing.
	ValidFor   time.Duration     `yaml:"valid-for"` // zero: 15 min
	Resend     time.Duration     `yaml:"resend"`    // zero: 1 min
	Labels     map[string]string `yaml:"labels"`    // added to each alert
	HTTPClient `yaml:",inline"`
}

// What holds where the configuration is silent.
const (
	defaultValidFor = 15 * time.Minute
	defaultResend   = time.Minute
)

func (c *Alertmanager) validate(key string, f *faults) {
	if len(c.URLs) == 0 {
		f.add(key+".urls", "say where it is, such as http://127.0.0.1:9093")
	}
	for i, u := range c.URLs {
		if !isHTTP(u) {
			f.add(fmt.Sprintf("%s.urls[%d]", key, i), "%q is no address such as http://127.0.0.1:9093", u)
		}
	}
	if c.Resend < 0 || c.ValidFor < 0 {
		f.add(key+".resend", "resend and valid-for are not below zero")
	}
	if valid, resend := orDefault(c.ValidFor, defaultValidFor), orDefault(c.Resend, defaultResend); valid < 2*resend {
		f.add(key+".valid-for", "%s is less than two times resend, %s: alerts would come and go", valid, resend)
	}
	for name := range c.Labels {
		if !isLabel(name) {
			f.add(key+".labels", "%q is no name of a label", name)
		}
	}
	c.HTTPClient.validate(key, f)
}

func (c *Alertmanager) open(r *receiver) error {
	p, err := c.HTTPClient.open()
	if err != nil {
		return err
	}
	am := &alertmanager{cfg: *c, poster: p, valid: orDefault(c.ValidFor, defaultValidFor)}
	r.kind, r.timeout, r.tell = "alertmanager", orDefault(c.Timeout, defaultTimeout), am.tell
	r.pace = pace{again: orDefault(c.Resend, defaultResend), linger: am.valid}
	return nil
}

// alertmanager tells several Alertmanagers the same.
type alertmanager struct {
	cfg    Alertmanager
	poster *poster
	valid  time.Duration
}

// postable is an alert as the API takes it.
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// tell posts to all at once. It is enough that one has taken it: they tell each other, and all is sent again before long.
func (am *alertmanager) tell(ctx context.Context, m message) error {
	var list []postable
	for _, it := range m.Items {
		list = append(list, am.postables(m, it)...)
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	errs := make([]error, len(am.cfg.URLs))
	var all sync.WaitGroup
	for i, u := range am.cfg.URLs {
		all.Go(func() { errs[i] = am.poster.post(ctx, strings.TrimSuffix(u, "/")+"/api/v2/alerts", body, nil) })
	}
	all.Wait()
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errors.Join(errs...)
}

// postables gives what is said of an item: where its severity was another, the alert of that severity ends, because its labels are others.
func (am *alertmanager) postables(m message, it item) (out []postable) {
	now := m.At.Time()
	if it.Was != "" {
		was := it.Alert
		was.Status = it.Was
		p := am.postable(m, &was)
		p.EndsAt = now
		out = append(out, p)
	}
	p := am.postable(m, &it.Alert)
	p.EndsAt = now.Add(am.valid)
	if it.Alert.Ended != 0 {
		p.EndsAt = it.Alert.Ended.Time()
	}
	return append(out, p)
}

func (am *alertmanager) postable(m message, a *Alert) postable {
	p := postable{
		Labels: labelsOf(a), Annotations: map[string]string{"summary": a.Summary()}, StartsAt: a.Since.Time(), GeneratorURL: a.Link(m.URL),
	}
	for name, value := range am.cfg.Labels {
		p.Labels[name] = value
	}
	for name, value := range map[string]string{"runbook_url": a.Runbook, "notes": a.Notes, "dashboard_url": a.Link(m.URL), "description": a.details()} {
		if value != "" {
			p.Annotations[name] = value
		}
	}
	return p
}

// labelsOf gives the labels by which Alertmanager groups and routes: what does not change while the alert goes on, and the severity.
func labelsOf(a *Alert) map[string]string {
	labels := map[string]string{}
	for name, value := range a.Labels {
		if isLabel(name) && value != "" {
			labels[name] = value
		}
	}
	labels["alertname"], labels["severity"] = cmp.Or(a.Check, "fettle"), string(a.Status)
	if a.Kind == fettle.KindGroup {
		labels["group"] = a.Check
	} else {
		labels["check"] = a.Check
	}
	if a.Owner != "" {
		labels["owner"] = a.Owner
	}
	if a.Value != "" {
		labels["value"] = a.Value
		if name := labelOf(a.Fact); name != "" {
			labels[name] = a.Value
		}
	}
	return labels
}

// labelOf gives the label of a fact: the last part of its path.
func labelOf(fact string) string {
	path, err := fettle.ParsePath(fact)
	if err != nil || len(path) == 0 {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, path[len(path)-1])
	if !isLabel(name) {
		return ""
	}
	return name
}

// isLabel tells whether Alertmanager takes a name of a label.
func isLabel(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// details says which nodes are how, and what the first of them say.
func (a *Alert) details() string {
	var b strings.Builder
	for _, status := range []fettle.CheckStatus{fettle.CheckCritical, fettle.CheckUnknown, fettle.CheckWarning} {
		if names := a.Nodes[status]; names != "" {
			fmt.Fprintf(&b, "%s: %s\n", status, names)
		}
	}
	for _, l := range a.Output {
		fmt.Fprintf(&b, "%s: %s\n", l.Node, l.Text)
	}
	if a.Silenced > 0 {
		fmt.Fprintf(&b, "%d nodes are left out by silences\n", a.Silenced)
	}
	return strings.TrimSpace(b.String())
}
