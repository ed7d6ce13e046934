package checks

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/calendar"
)

// Bounds of a silence.
const (
	maxSilence  = 400 * 24 * time.Hour // one that ought to last longer is a check that nobody wants
	maxWindow   = 7 * 24 * time.Hour
	maxPatterns = 100
	maxReason   = 1000
)

// Windows tells when a silence holds: from its start to its end, or in windows that come again.
type Windows struct {
	starts, ends fettle.Millis
	cron         calendar.Cron // zero: without a break
	lasts        time.Duration
}

// ReadSilence checks a silence's own words, and gives the times at which it holds. Every fault is told by its key.
func ReadSilence(s fettle.Silence) (Windows, error) {
	w := Windows{starts: s.Starts, ends: s.Expires, lasts: time.Duration(s.Duration) * time.Millisecond}
	if s.Ended != 0 {
		w.ends = min(w.ends, s.Ended)
	}
	bad := func(key, format string, args ...any) (Windows, error) {
		return Windows{}, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Filter == "":
		return bad("filter", "say which nodes are meant; \"true\" means all")
	case strings.TrimSpace(s.Reason) == "":
		return bad("reason", "say why: whoever finds it at night wants to know")
	case len(s.Reason) > maxReason:
		return bad("reason", "it has %d bytes, and %d are allowed", len(s.Reason), maxReason)
	case s.Author == "":
		return bad("author", "it is somebody's")
	case s.Expires <= s.Starts:
		return bad("expires", "a silence has an end, after its start")
	case s.Expires.Sub(s.Starts) > maxSilence:
		return bad("expires", "it is more than %d days after the start", int(maxSilence.Hours()/24))
	case len(s.Checks) > maxPatterns:
		return bad("checks", "%d names, and %d are allowed", len(s.Checks), maxPatterns)
	}
	for _, pattern := range s.Checks {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return bad("checks", "%q is neither a name nor a pattern such as disk_*", pattern)
		}
	}
	for _, status := range s.Statuses {
		if !slices.Contains([]fettle.CheckStatus{fettle.CheckWarning, fettle.CheckCritical, fettle.CheckUnknown}, status) {
			return bad("statuses", "%q is none of warning, critical, unknown", status)
		}
	}
	return w.read(s)
}

// read reads the words of recurrence.
func (w Windows) read(s fettle.Silence) (Windows, error) {
	if strings.TrimSpace(s.Cron) == "" {
		if s.Duration != 0 || s.Zone != "" {
			return Windows{}, &fettle.Fault{Key: "cron", Reason: "duration and zone are for windows that come again, by a cron expression"}
		}
		return w, nil
	}
	if w.lasts < time.Minute || w.lasts > maxWindow {
		return Windows{}, &fettle.Fault{Key: "duration", Reason: fmt.Sprintf("%s is not between 1m and 7 days", w.lasts)}
	}
	var err error
	w.cron, err = calendar.Parse(s.Cron, s.Zone)
	return w, err
}

// Until gives w with an earlier end.
func (w Windows) Until(end fettle.Millis) Windows {
	w.ends = min(w.ends, end)
	return w
}

// Always gives w without a start and an end: what would have been, if it had always been there.
func (w Windows) Always() Windows {
	w.starts, w.ends = 1, math.MaxInt64/2
	return w
}

// At tells whether the silence holds at a moment, and until when; where it does not, when its next window begins. Zero: never again.
func (w Windows) At(now fettle.Millis) (holds bool, until, next fettle.Millis) {
	switch {
	case now >= w.ends:
		return false, 0, 0
	case w.cron.IsZero() && now < w.starts:
		return false, 0, w.starts
	case w.cron.IsZero():
		return true, w.ends, 0
	}
	at := max(now, w.starts)
	if began, ok := w.before(at.Time()); ok && now >= w.starts && now < began.Add(w.lasts) && began >= w.starts {
		return true, min(w.over(began, now), w.ends), 0
	}
	if begins, ok := w.after(at.Time().Add(-time.Millisecond)); ok && begins < w.ends {
		return false, 0, begins
	}
	return false, 0, 0
}

// over gives the end of a window; one that begins before it ends goes on.
func (w Windows) over(began, now fettle.Millis) fettle.Millis {
	end := began.Add(w.lasts)
	for range 1000 {
		again, ok := w.after(began.Time())
		if !ok || again > end || end >= w.ends {
			return end
		}
		began, end = again, again.Add(w.lasts)
	}
	return end
}

// before gives the last beginning at or before a moment, within the length of a window.
func (w Windows) before(at time.Time) (fettle.Millis, bool) {
	began, ok := w.after(at.Add(-w.lasts))
	for ok {
		next, more := w.after(began.Time())
		if began > fettle.MillisOf(at) {
			return 0, false
		}
		if !more || next > fettle.MillisOf(at) {
			return began, true
		}
		began = next
	}
	return 0, false
}

// after gives the first beginning after a moment.
func (w Windows) after(at time.Time) (fettle.Millis, bool) {
	begins, ok := w.cron.After(at)
	return fettle.MillisOf(begins), ok
}
