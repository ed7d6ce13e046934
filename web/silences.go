package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// The operations of REST that silences are.
const (
	opAddSilence = "add-silence"
	opEndSilence = "end-silence"
)

// endedShown is how many silences that are over a page lists.
const endedShown = 100

// silencesPage lists silences: those that hold, those that wait, and those that are over.
type silencesPage struct {
	base
	Holds, Waits, Over []silenceRow
	WithOver           bool
	Same               []command
}

// silenceRow is one silence.
type silenceRow struct {
	ID       string
	What     string // the checks; empty: all
	Where    string
	Nodes    string // link to the nodes it is about
	Statuses string // empty: all that are not ok
	Reason   string
	Author   string
	Created  moment
	Until    moment // when it holds: the end of this window
	Next     moment // when it waits
	Expires  moment
	Ended    moment
	EndedBy  string
	Again    string // when it comes again; empty: it does not
	Count    int    // nodes, while it holds
	URL      string // under which its form is
}

// silences draws the list.
func (s *site) silences(c *gin.Context) error {
	p := silencesPage{base: s.base(c, "Silences", "silences"), WithOver: c.Query("over") != "", Same: commandsOfSilences(c.Request)}
	p.Live = true
	for _, v := range s.fleet.Silences(c.Request.Context(), p.WithOver) {
		row := s.silenceRow(v)
		switch {
		case v.Phase == server.SilenceHolds:
			p.Holds = append(p.Holds, row)
		case v.Phase == server.SilenceWaits:
			p.Waits = append(p.Waits, row)
		case len(p.Over) < endedShown:
			p.Over = append(p.Over, row)
		}
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "silences.html", "live", p)
	}
	return s.draw(c, http.StatusOK, "silences.html", "layout", p)
}

func (s *site) silenceRow(v server.SilenceView) silenceRow {
	row := silenceRow{
		ID: v.ID, What: strings.Join(v.Checks, ", "), Reason: v.Reason, Author: v.Author, Created: s.moment(v.Created), Until: s.moment(v.Until), Next: s.moment(v.Next),
		Expires: s.moment(v.Expires), Ended: s.moment(v.Ended), EndedBy: v.EndedBy, Count: v.Nodes, URL: "/silences/" + url.PathEscape(v.ID),
	}
	if v.Filter != everyNode {
		row.Where, row.Nodes = shownFilter(v.Filter), question{Columns: defaultColumns(), Where: string(v.Filter)}.URL()
	}
	for _, status := range v.Statuses {
		row.Statuses += " " + string(status)
	}
	if v.Cron != "" {
		row.Again = v.Cron + " " + v.Zone + ", each for " + spanOf(time.Duration(v.Duration)*time.Millisecond)
	}
	return row
}

// shownFilter writes a filter as a person reads it: a list of names is folded.
func shownFilter(where fettle.Filter) string {
	if list, is := strings.CutPrefix(string(where), "identity in "); is {
		var ids []fettle.NodeID
		if json.Unmarshal([]byte(list), &ids) == nil {
			return cut(server.FoldNames(ids), widestAnswer)
		}
	}
	return cut(string(where), widestAnswer)
}

// silenceFormPage asks what is to be silenced, and shows what that would hide.
type silenceFormPage struct {
	base
	Form    silenceForm
	Fault   string
	Preview *server.SilencePreview // nil: it has not been looked at yet
	Filter  fettle.Filter
	Ends    moment
	Hides   []hiddenRow // now
	Would   []hiddenRow // in the last seven days

	Same []command
}

// hiddenRow is how many bad states of a check a silence hides.
type hiddenRow struct {
	Check string
	Count int
}

// Morning says when "till morning" ends.
func (p silenceFormPage) Morning() string { return fmt.Sprintf("%02d:00", morningHour) }

func (s *site) newSilence(c *gin.Context) error {
	return s.drawSilence(c, http.StatusOK, s.silenceFormPage(c, parseSilenceForm(c.Request.URL.Query())))
}

func (s *site) silenceFormPage(c *gin.Context, f silenceForm) silenceFormPage {
	p := silenceFormPage{base: s.base(c, "Silence", "silences"), Form: f}
	p.Same = []command{{"CLI", f.command(s.cfg.Now())}}
	return p
}

func (s *site) drawSilence(c *gin.Context, status int, p silenceFormPage) error {
	return s.draw(c, status, "silenceform.html", "layout", p)
}

// previewSilence shows what a silence would hide, before it holds.
func (s *site) previewSilence(c *gin.Context) error {
	p, one, err := s.askedSilence(c)
	if err == nil {
		var preview server.SilencePreview
		if preview, err = s.fleet.PreviewSilence(c.Request.Context(), one, auth.From(c.Request.Context()).Name); err == nil {
			p.Preview, p.Filter, p.Ends = &preview, one.Filter, s.moment(one.Expires)
			p.Hides, p.Would = hiddenRows(preview.Now.ByCheck), hiddenRows(preview.Before.ByCheck)
		}
	}
	if err != nil {
		p.Fault = said(err)
		return s.drawSilence(c, http.StatusUnprocessableEntity, p)
	}
	return s.drawSilence(c, http.StatusOK, p)
}

func hiddenRows(by map[string]int) (out []hiddenRow) {
	for name, n := range by {
		out = append(out, hiddenRow{name, n})
	}
	slices.SortFunc(out, func(a, b hiddenRow) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return natural(a.Check, b.Check)
	})
	return out
}

// askedSilence reads the form that was sent, and what its filter means.
func (s *site) askedSilence(c *gin.Context) (silenceFormPage, fettle.Silence, error) {
	if err := c.Request.ParseForm(); err != nil {
		return silenceFormPage{}, fettle.Silence{}, fmt.Errorf("the form cannot be read: %w", fettle.ErrInvalid)
	}
	f := parseSilenceForm(c.Request.PostForm)
	p := s.silenceFormPage(c, f)
	where, err := s.meant(c.Request.Context(), f.Where)
	if err != nil {
		return p, fettle.Silence{}, err
	}
	one, err := f.silence(where, s.cfg.Now())
	return p, one, err
}

// meant gives the filter, in CEL, that a text means.
func (s *site) meant(ctx context.Context, text string) (fettle.Filter, error) {
	if text == everyNode {
		return everyNode, nil
	}
	r, _, err := s.find(ctx, text, server.FindQuery{CountOnly: true})
	return r.CEL, err
}

// addSilence has it hold.
func (s *site) addSilence(c *gin.Context) error {
	p, one, err := s.askedSilence(c)
	if err == nil {
		_, err = s.keepSilence(c, one)
	}
	if err != nil {
		p.Fault = said(err)
		return s.drawSilence(c, http.StatusUnprocessableEntity, p)
	}
	c.Redirect(http.StatusSeeOther, cmp.Or(p.Form.Back, "/silences"))
	return nil
}

// keepSilence adds a silence, and puts it down.
func (s *site) keepSilence(c *gin.Context, one fettle.Silence) (id string, err error) {
	ctx := c.Request.Context()
	caller := auth.From(ctx).Name
	v, err := s.fleet.AddSilence(ctx, one, caller)
	if err != nil {
		return "", err
	}
	s.cfg.Audit.Note(ctx, caller, "silence.add", v.ID, audit.Details{"where": v.Filter, "checks": v.Checks, "statuses": v.Statuses, "reason": v.Reason, "expires": v.Expires.Time(), "cron": v.Cron})
	return v.ID, nil
}

func (s *site) endSilence(c *gin.Context) error {
	ctx, id := c.Request.Context(), c.Param("id")
	caller := auth.From(ctx).Name
	if _, err := s.fleet.EndSilence(ctx, id, caller); err != nil {
		return err
	}
	s.cfg.Audit.Note(ctx, caller, "silence.end", id, nil)
	to := cmp.Or(local(c.PostForm("back")), "/silences")
	c.Redirect(http.StatusSeeOther, to)
	return nil
}
