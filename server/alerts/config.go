package alerts

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Config says what is told to whom. Without receivers nobody is told anything.
type Config struct {
	Every        time.Duration `yaml:"every"`         // how often verdicts are looked at; zero: 10 s
	ResolveAfter time.Duration `yaml:"resolve-after"` // how long a verdict has to be ok before that is told; zero: 1 min
	URL          string        `yaml:"url"`           // of our pages, for links; empty: the address that the server listens on
	Receivers    []Receiver    `yaml:"receivers"`
	Routes       []Route       `yaml:"routes"` // the first that matches holds; none: every alert goes to all receivers
}

// Receiver is somebody who is told: exactly one of its kinds is there.
type Receiver struct {
	Name         string        `yaml:"name"`
	Alertmanager *Alertmanager `yaml:"alertmanager"`
	Mail         *Mail         `yaml:"mail"`
	Webhook      *Webhook      `yaml:"webhook"`
}

// Route sends alerts to receivers. All that it says has to match; what it does not say matches everything.
type Route struct {
	Checks    []string             `yaml:"checks"`   // names of checks and groups, or patterns such as disk_*
	Owner     []string             `yaml:"owner"`    // of the check or group
	Labels    map[string]string    `yaml:"labels"`   // of the alert, or patterns
	Statuses  []fettle.CheckStatus `yaml:"statuses"` // warning, critical, unknown
	Receivers []string             `yaml:"receivers"`
	For       time.Duration        `yaml:"for"`      // how long a verdict has to be bad before it is told
	Repeat    time.Duration        `yaml:"repeat"`   // how often it is told again; zero: 4 h; below zero: never
	Continue  bool                 `yaml:"continue"` // routes behind this one are asked too
}

// What holds where the configuration is silent, and bounds.
const (
	defaultEvery   = 10 * time.Second
	defaultResolve = time.Minute
	defaultRepeat  = 4 * time.Hour
	minEvery       = 100 * time.Millisecond
	maxReceivers   = 100
	maxRoutes      = 1000
)

// defaults gives c with what is not set.
func (c Config) defaults() Config {
	c.Every = orDefault(c.Every, defaultEvery)
	c.ResolveAfter = orDefault(c.ResolveAfter, defaultResolve)
	if len(c.Routes) == 0 {
		all := Route{}
		for _, r := range c.Receivers {
			all.Receivers = append(all.Receivers, r.Name)
		}
		c.Routes = []Route{all}
	}
	c.Routes = slices.Clone(c.Routes)
	for i := range c.Routes {
		c.Routes[i].Repeat = orDefault(c.Routes[i].Repeat, defaultRepeat)
	}
	return c
}

func orDefault[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// faults gathers what is wrong, each by its key below "alerts".
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, &fettle.Fault{Key: "alerts." + key, Reason: fmt.Sprintf(format, args...)})
}

// Validate reports every fault of c, each by its key.
func (c Config) Validate() error {
	var f faults
	if c.Every != 0 && c.Every < minEvery {
		f.add("every", "%s is below %s", c.Every, minEvery)
	}
	if c.ResolveAfter < 0 {
		f.add("resolve-after", "%s is below zero", c.ResolveAfter)
	}
	if c.URL != "" && !isHTTP(c.URL) {
		f.add("url", "%q is no address such as https://fettle.acme.net", c.URL)
	}
	if len(c.Receivers) > maxReceivers || len(c.Routes) > maxRoutes {
		f.add("receivers", "%d receivers and %d routes are more than %d and %d", len(c.Receivers), len(c.Routes), maxReceivers, maxRoutes)
	}
	names := map[string]bool{}
	for i, r := range c.Receivers {
		key := fmt.Sprintf("receivers[%d]", i)
		if r.Name == "" || len(r.Name) > 100 {
			f.add(key+".name", "a receiver needs a name of at most 100 bytes")
		}
		if names[r.Name] {
			f.add(key+".name", "%q is there twice", r.Name)
		}
		names[r.Name] = true
		r.validate(key, &f)
	}
	for i, r := range c.Routes {
		r.validate(fmt.Sprintf("routes[%d]", i), names, &f)
	}
	return errors.Join(f...)
}

func (r Receiver) validate(key string, f *faults) {
	kinds := 0
	if r.Alertmanager != nil {
		kinds++
		r.Alertmanager.validate(key+".alertmanager", f)
	}
	if r.Mail != nil {
		kinds++
		r.Mail.validate(key+".mail", f)
	}
	if r.Webhook != nil {
		kinds++
		r.Webhook.validate(key+".webhook", f)
	}
	if kinds != 1 {
		f.add(key, "it says %d of alertmanager, mail and webhook, and has to say one", kinds)
	}
}

func (r Route) validate(key string, receivers map[string]bool, f *faults) {
	if len(r.Receivers) == 0 {
		f.add(key+".receivers", "a route leads to somebody")
	}
	for _, name := range r.Receivers {
		if !receivers[name] {
			f.add(key+".receivers", "there is no receiver %q", name)
		}
	}
	for _, s := range r.Statuses {
		if s != fettle.CheckWarning && s != fettle.CheckCritical && s != fettle.CheckUnknown {
			f.add(key+".statuses", "%q is none of warning, critical and unknown", s)
		}
	}
	for _, p := range append(slices.Clone(r.Checks), r.Owner...) {
		if _, err := path.Match(p, ""); err != nil {
			f.add(key, "%q is no pattern", p)
		}
	}
	for name, p := range r.Labels {
		if _, err := path.Match(p, ""); err != nil {
			f.add(key+".labels."+name, "%q is no pattern", p)
		}
	}
	if r.For < 0 {
		f.add(key+".for", "%s is below zero", r.For)
	}
}

// matches tells whether a is one of r's.
func (r Route) matches(a *Alert) bool {
	if !anyMatches(r.Checks, a.Check) || !anyMatches(r.Owner, a.Owner) {
		return false
	}
	for name, p := range r.Labels {
		if ok, err := path.Match(p, a.Labels[name]); err != nil || !ok {
			return false
		}
	}
	return len(r.Statuses) == 0 || slices.Contains(r.Statuses, a.Status)
}

func anyMatches(patterns []string, s string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, s); err == nil && ok {
			return true
		}
	}
	return len(patterns) == 0
}

func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
