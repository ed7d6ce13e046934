package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// silenceForm is a silence as a form has it. All of it stands in the URL.
type silenceForm struct {
	Where    string // as it was typed; everyNode: all
	Checks   string // names and patterns, between commas or blanks; empty: all
	Statuses []string
	Reason   string
	For      string // how long, such as 4h; morning: until the next one
	Starts   string // as a datetime-local field has it, in UTC; empty: now
	Cron     string
	Duration string // of each window, where it comes again
	Zone     string
	Back     string // the page to go to then; empty: the silences
}

// everyNode is the filter of a silence that is about all nodes.
const everyNode = "true"

// untilMorning stands for the time until the next morning, and morningHour is when that is, by the server's clock.
const (
	untilMorning = "morning"
	morningHour  = 8
	leastSilence = 30 * time.Minute // a morning that is nearer is the next one
)

func parseSilenceForm(v url.Values) silenceForm {
	get := func(name string) string { return strings.TrimSpace(v.Get(name)) }
	return silenceForm{
		Where: cmp.Or(get("where"), everyNode), Checks: get("checks"), Statuses: v["status"], Reason: get("reason"), For: cmp.Or(get("for"), "4h"), Starts: get("starts"),
		Cron: get("cron"), Duration: get("duration"), Zone: get("zone"), Back: local(get("back")),
	}
}

// URL gives the link to the form, filled in.
func (f silenceForm) URL() string {
	v := url.Values{}
	for key, value := range map[string]string{
		"where": f.Where, "checks": f.Checks, "reason": f.Reason, "for": f.For, "starts": f.Starts, "cron": f.Cron, "duration": f.Duration, "zone": f.Zone, "back": f.Back,
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	for _, s := range f.Statuses {
		v.Add("status", s)
	}
	if len(v) == 0 {
		return "/silences/new"
	}
	return "/silences/new?" + v.Encode()
}

// Has tells whether a status is chosen.
func (f silenceForm) Has(status string) bool { return slices.Contains(f.Statuses, status) }

// names gives the checks that are meant.
func (f silenceForm) names() []string {
	return strings.FieldsFunc(f.Checks, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// silence reads the form, with the filter that where means. ErrInvalid: a span or a moment that is none.
func (f silenceForm) silence(where fettle.Filter, now time.Time) (fettle.Silence, error) {
	one := fettle.Silence{Filter: where, Checks: f.names(), Reason: f.Reason, Starts: fettle.MillisOf(now), Cron: f.Cron, Zone: f.Zone}
	for _, s := range f.Statuses {
		one.Statuses = append(one.Statuses, fettle.CheckStatus(s))
	}
	if f.Starts != "" {
		at, err := parseMoment(f.Starts)
		if err != nil {
			return one, err
		}
		one.Starts = max(one.Starts, at)
	}
	if f.For == untilMorning {
		one.Expires = fettle.MillisOf(morning(now))
	} else {
		span, err := spanIn("for", f.For)
		if err != nil {
			return one, err
		}
		one.Expires = one.Starts.Add(span)
	}
	if f.Cron != "" {
		lasts, err := spanIn("duration", f.Duration)
		if err != nil {
			return one, err
		}
		one.Duration = lasts.Milliseconds()
	}
	return one, nil
}

// morning gives the next one, by the clock of now's zone.
func morning(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), morningHour, 0, 0, 0, now.Location())
	if at.Sub(now) < leastSilence {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// spanIn reads a span of time, days too.
func spanIn(name, text string) (time.Duration, error) {
	if days, is := strings.CutSuffix(text, "d"); is {
		if d, err := time.ParseDuration(days + "h"); err == nil && d > 0 {
			return 24 * d, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s: %q is not a span of time such as 4h or 2d: %w", name, cut(text, maxCell), fettle.ErrInvalid)
	}
	return d, nil
}

// command gives the command line that does the same.
func (f silenceForm) command(now time.Time) string {
	text := "fettle silence add"
	switch _, err := server.ShortForm(f.Where); {
	case f.Where == everyNode:
		text += " --all"
	case err == nil && !celSigns.MatchString(f.Where):
		text += " -W " + shellQuote(f.Where)
	default:
		text += " " + shellQuote(f.Where)
	}
	for _, name := range f.names() {
		text += " --check " + shellQuote(name)
	}
	for _, s := range f.Statuses {
		text += " --status " + shellQuote(s)
	}
	ends, when := "for", f.For
	if f.For == untilMorning {
		ends, when = "until", morning(now).UTC().Format("2006-01-02T15:04")
	}
	for _, flag := range []struct{ name, value string }{
		{ends, when}, {"starts", f.Starts}, {"cron", f.Cron}, {"duration", f.Duration}, {"zone", f.Zone}, {"reason", f.Reason},
	} {
		if flag.value != "" {
			text += " --" + flag.name + " " + shellQuote(flag.value)
		}
	}
	return text
}
