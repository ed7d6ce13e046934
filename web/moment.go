package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// moment is a point in time as pages show it: how long ago, and exactly when for who wants to know.
type moment struct {
	Never bool
	Ago   string // 12 s ago
	Full  string // 2026-11-21 03:12:05 UTC
	For   string // for 12 s
	Clock string // 03:12
	ISO   string // for machines; fettle.js keeps Ago right by it
}

// moment gives at as seen from now.
func (s *site) moment(at fettle.Millis) moment {
	if at == 0 {
		return moment{Never: true}
	}
	t := at.Time()
	text := ago(s.cfg.Now().Sub(t))
	lasts := "for " + strings.TrimSuffix(text, " ago")
	if text == "now" {
		lasts = "just now"
	}
	return moment{Ago: text, For: lasts, Clock: t.Format("15:04"), Full: t.Format("2006-01-02 15:04:05 UTC"), ISO: t.Format("2006-01-02T15:04:05.000Z")}
}

// ago says how long ago something was, in the largest unit that fits. fettle.js has the same in JavaScript.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d d ago", int(d.Hours()/24))
}

// thousands writes n with commas: 12,345.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
