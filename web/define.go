package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// The operations of REST that the form of a check is.
const (
	opSaveCheck   = "save-check"
	opTestCheck   = "test-check"
	opDeleteCheck = "delete-check"
)

// definePage is the form of a check, with what is known of what it would be.
type definePage struct {
	base
	Form     defineForm
	Old      *oldCheck // nil: a new one
	Mine     bool      // who looks may change it
	Fault    string    // of the whole
	Looked   *lookedAt // nil: nobody has asked what it would be
	Tested   []testedRow
	Meant    int // nodes that it means, once it was tested
	Conflict *conflict
	Commands []string // check commands of nodes, to choose from
	Actions  []string
	Same     []command
}

// Broken tells whether something in the form is wrong.
func (p definePage) Broken() bool { return p.Form.broken() }

// oldCheck is what is kept of a check that is edited.
type oldCheck struct {
	Name, Editor, Source, Owner, Fault string
	Rev                                int64
	Updated                            moment
	Text                               string // as a file has it
}

// lookedAt is what a definition would be.
type lookedAt struct {
	Diff  []diffLine // from what is kept
	Nodes string     // how many it means; empty: that is not known before they are asked
}

// conflict is what has become of a check since it was looked at.
type conflict struct {
	Gone    bool
	Editor  string
	Updated moment
	Rev     int64
	Diff    []diffLine // from what is there now to what was sent
}

// testedRow is what a check would be on one node.
type testedRow struct {
	Node   fettle.NodeID
	URL    string
	Status fettle.CheckStatus
	Line   string
	Long   string
	Perf   []perfRow
	Took   string
}

// defineURL gives the address of the form of a new check.
const defineURL = "/define/check"

// newCheck draws the form of a check that is not there yet, or of a copy.
func (s *site) newCheck(c *gin.Context) error {
	def := fettle.CheckDefinition{NRPE: c.Query("nrpe")}
	if from := c.Query("copy"); from != "" {
		kept, err := s.fleet.CheckDefinition(c.Request.Context(), from)
		if err != nil {
			return err
		}
		def = kept.CheckDefinition
		def.Name, def.Owner = "", ""
	}
	d, err := checkDraft(def, c.Query("whole") != "")
	if err != nil {
		return err
	}
	return s.drawDefine(c, http.StatusOK, s.definePage(c, defineForm{draft: d}, nil))
}

// editCheck draws the form of a check as it is.
func (s *site) editCheck(c *gin.Context) error {
	kept, err := s.fleet.CheckDefinition(c.Request.Context(), c.Param("name"))
	if err != nil {
		return err
	}
	d, err := checkDraft(kept.CheckDefinition, c.Query("whole") != "")
	if err != nil {
		return err
	}
	return s.drawDefine(c, http.StatusOK, s.definePage(c, defineForm{draft: d, Was: kept.Name, Rev: kept.Rev}, &kept))
}

func (s *site) definePage(c *gin.Context, f defineForm, kept *fettle.KeptCheck) definePage {
	ctx := c.Request.Context()
	p := definePage{base: s.base(c, "New check", "checks"), Form: f, Mine: true}
	p.Same = []command{{"CLI", "fettle checks apply -f check.yaml"}, {"CLI", "fettle checks test -f check.yaml"}}
	if kept != nil {
		text, err := written(kept.CheckDefinition)
		if err != nil {
			text = err.Error()
		}
		p.Title = "Edit " + kept.Name
		p.Old = &oldCheck{
			Name: kept.Name, Editor: kept.Editor, Source: kept.Source, Owner: kept.Owner, Fault: kept.Fault, Rev: kept.Rev, Updated: s.moment(kept.Updated), Text: text,
		}
		p.Mine = kept.Source == "" && (p.Person.Role == auth.Admin || kept.Owner == p.Person.Name)
		p.Same = []command{
			{"CLI", "fettle checks show " + shellQuote(kept.Name)},
			{"CLI", "fettle checks test " + shellQuote(kept.Name)},
			{"REST", curl(c.Request, "/api/v1/checks/"+kept.Name, nil)},
		}
	}
	p.Commands = s.fleet.Commands(ctx)
	p.Commands = p.Commands[:min(len(p.Commands), maxOffered)]
	for _, a := range s.fleet.Actions(ctx) {
		p.Actions = append(p.Actions, a.Name)
	}
	return p
}

func (s *site) drawDefine(c *gin.Context, status int, p definePage) error {
	return s.draw(c, status, "define.html", "layout", p)
}

// sentCheck reads the form that was sent. False: it has faults, which are in the page.
func (s *site) sentCheck(c *gin.Context) (definePage, server.CheckChange, bool, error) {
	if err := c.Request.ParseForm(); err != nil {
		return definePage{}, server.CheckChange{}, false, fmt.Errorf("the form cannot be read: %w", fettle.ErrInvalid)
	}
	ctx := c.Request.Context()
	f := parseDefineForm(c.Request.PostForm)
	kept, err := s.keptCheck(ctx, f.Was)
	if err != nil {
		return definePage{}, server.CheckChange{}, false, err
	}
	def, ok := f.check()
	if ok && f.Was != "" && def.Name != f.Was {
		f.place(f.lineOf("name"), "name", "a check keeps the name that it has; under another one it is a copy")
		ok = false
	}
	p := s.definePage(c, f, kept)
	change := server.CheckChange{Definition: def, Rev: f.Rev, New: f.Was == "", Caller: asker(ctx), Admin: auth.From(ctx).Role == auth.Admin}
	return p, change, ok, nil
}

// keptCheck gives what is kept of a check; nil: nothing.
func (s *site) keptCheck(ctx context.Context, name string) (*fettle.KeptCheck, error) {
	if name == "" {
		return nil, nil
	}
	kept, err := s.fleet.CheckDefinition(ctx, name)
	if isNotFound(err) {
		return nil, nil
	}
	return &kept, err
}

// faulty draws the form with what is wrong with it.
func (s *site) faulty(c *gin.Context, p definePage, change server.CheckChange, err error) error {
	status := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, fettle.ErrConflict):
		status = http.StatusConflict
		if p.Conflict = s.conflictOf(p, change); p.Conflict == nil {
			p.Fault = said(err)
		}
	case errors.Is(err, fettle.ErrDenied):
		status, p.Fault = http.StatusForbidden, said(err)
		s.cfg.Audit.Stranger(c.Request.Context(), p.Person.Name, "request.refused", "check.save", audit.Details{"subject": change.Definition.Name, "reason": said(err)})
	case errors.Is(err, fettle.ErrInvalid):
		p.Form.refuse(err)
	case err != nil:
		return err
	}
	return s.drawDefine(c, status, p)
}

// conflictOf tells what has become of the check that a change was made to; nil: nothing, and the conflict is another one.
func (s *site) conflictOf(p definePage, change server.CheckChange) *conflict {
	switch {
	case p.Form.Was == "":
		return nil
	case p.Old == nil:
		return &conflict{Gone: true}
	case p.Old.Rev == p.Form.Rev:
		return nil
	}
	mine, err := written(change.Definition)
	if err != nil {
		mine = err.Error()
	}
	return &conflict{Editor: p.Old.Editor, Updated: p.Old.Updated, Rev: p.Old.Rev, Diff: diffLines(p.Old.Text, mine)}
}

// lookCheck says what would become of a check, and changes nothing.
func (s *site) lookCheck(c *gin.Context) error {
	p, change, ok, err := s.sentCheck(c)
	if err != nil {
		return err
	}
	if !ok {
		return s.faulty(c, p, change, nil)
	}
	change.DryRun = true
	next, err := s.fleet.SaveCheck(c.Request.Context(), change)
	if err != nil {
		return s.faulty(c, p, change, err)
	}
	is, err := written(next.CheckDefinition)
	if err != nil {
		return err
	}
	p.Looked = &lookedAt{}
	if p.Old != nil {
		p.Looked.Diff = diffLines(p.Old.Text, is)
	}
	if next.Filter != "" {
		if _, found, err := s.find(c.Request.Context(), string(next.Filter), server.FindQuery{CountOnly: true}); err == nil {
			p.Looked.Nodes = nodes(found.Matched)
		}
	}
	return s.drawDefine(c, http.StatusOK, p)
}

// viewCheck draws the same as fields, or as YAML.
func (s *site) viewCheck(c *gin.Context) error {
	p, change, ok, err := s.sentCheck(c)
	if err != nil {
		return err
	}
	whole := c.PostForm("as") == "yaml"
	switch {
	case ok:
		d, err := checkDraft(change.Definition, whole)
		if err != nil {
			return err
		}
		p.Form.draft = d
	case whole && !p.Form.Whole:
		text, _ := p.Form.text()
		p.Form.draft = draft{Fields: checkFields(""), Rest: text, Whole: true}
		p.Form.check()
	}
	return s.drawDefine(c, http.StatusOK, p)
}

// saveCheck keeps a check.
func (s *site) saveCheck(c *gin.Context) error {
	p, change, ok, err := s.sentCheck(c)
	if err != nil {
		return err
	}
	if !ok {
		return s.faulty(c, p, change, nil)
	}
	ctx := c.Request.Context()
	kept, err := s.fleet.SaveCheck(ctx, change)
	if err != nil {
		return s.faulty(c, p, change, err)
	}
	s.cfg.Audit.Note(ctx, p.Person.Name, "check.save", kept.Name, audit.Details{"rev": kept.Rev, "definition": change.Definition, "dry_run": false})
	c.Redirect(http.StatusSeeOther, checkURL(kept.Name))
	return nil
}

// longestTest is how long a check may take on a node when a page tests it: a person waits.
const longestTest = 20 * time.Second

// testCheck asks one node what the check would ask.
func (s *site) testCheck(c *gin.Context) error {
	p, change, ok, err := s.sentCheck(c)
	if err != nil {
		return err
	}
	if !ok {
		return s.faulty(c, p, change, nil)
	}
	ctx, test := c.Request.Context(), server.CheckTest{Change: change, Limit: 1}
	if d := &test.Change.Definition; d.Timeout == 0 || d.Timeout.Duration() > longestTest {
		d.Timeout = fettle.Span(longestTest)
	}
	if p.Form.Node != "" {
		test.Where = fettle.Filter("identity == " + quoteCEL(strings.ToLower(p.Form.Node)))
	}
	s.cfg.Audit.Note(ctx, p.Person.Name, "check.test", change.Definition.Name, audit.Details{"definition": change.Definition, "where": test.Where})
	tested, meant, err := s.fleet.TestCheck(ctx, test)
	switch {
	case err != nil:
		return s.faulty(c, p, change, err)
	case len(tested) == 0 && p.Form.Node != "":
		p.Fault = "There is no node " + cut(p.Form.Node, maxCell) + "."
	case len(tested) == 0:
		p.Fault = "It means no node just now, so there is none to test it on."
	}
	for _, t := range tested {
		row := testedRow{
			Node: t.Node, URL: "/nodes/" + url.PathEscape(string(t.Node)), Status: t.Output.Code.Status(), Line: cut(clean(t.Output.Line), widestDetail),
			Long: cut(clean(t.Output.Long), widestDetail), Took: spanOf(time.Duration(t.TookMS) * time.Millisecond), Perf: perfRows(t.Output.Perfdata),
		}
		p.Tested = append(p.Tested, row)
	}
	p.Meant = meant
	return s.drawDefine(c, http.StatusOK, p)
}

// deleteCheck takes a check away that is still what was looked at.
func (s *site) deleteCheck(c *gin.Context) error {
	ctx, name := c.Request.Context(), c.Param("name")
	kept, err := s.fleet.CheckDefinition(ctx, name)
	if err != nil {
		return err
	}
	if rev := c.PostForm("rev"); rev != fmt.Sprint(kept.Rev) {
		return fmt.Errorf("check %s was changed by %s, %s; look at it again: %w", name, kept.Editor, s.moment(kept.Updated).Ago, fettle.ErrConflict)
	}
	if err := s.fleet.DeleteCheck(ctx, name, asker(ctx), auth.From(ctx).Role == auth.Admin); err != nil {
		return err
	}
	s.cfg.Audit.Note(ctx, auth.From(ctx).Name, "check.delete", name, nil)
	c.Redirect(http.StatusSeeOther, "/checks")
	return nil
}
