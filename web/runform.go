package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// runForm is what a person wants to run. All of it stands in the URL of the form.
type runForm struct {
	Action  string
	Where   string // as it was typed; empty: not chosen yet
	Timeout string // for the action on each node; empty: the action's own
	Inputs  map[string]string
	For     string // the check because of which it is; empty: none
}

// inputPrefix stands before the names of inputs in forms and URLs.
const inputPrefix = "in."

func parseRunForm(v url.Values) runForm {
	f := runForm{
		Action: strings.TrimSpace(v.Get("action")), Where: strings.TrimSpace(v.Get("where")), Timeout: strings.TrimSpace(v.Get("timeout")), For: v.Get("for"),
		Inputs: map[string]string{},
	}
	for key, values := range v {
		if name, is := strings.CutPrefix(key, inputPrefix); is && values[0] != "" {
			f.Inputs[name] = values[0]
		}
	}
	return f
}

// URL gives the link to the form, filled in.
func (f runForm) URL() string {
	v := url.Values{}
	for key, value := range map[string]string{"action": f.Action, "where": f.Where, "timeout": f.Timeout, "for": f.For} {
		if value != "" {
			v.Set(key, value)
		}
	}
	for name, value := range f.Inputs {
		v.Set(inputPrefix+name, value)
	}
	if len(v) == 0 {
		return "/runs/new"
	}
	return "/runs/new?" + v.Encode()
}

// inputTexts gives inputs as forms have them.
func inputTexts(inputs map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range inputs {
		if text, is := value.(string); is {
			out[name] = text
		} else if raw, err := json.Marshal(value); err == nil {
			out[name] = string(raw)
		}
	}
	return out
}

// plainInputs gives the inputs of a remedy as a form has them; those with expressions in them are left for the person, for they are of one state.
func plainInputs(inputs map[string]any) map[string]string {
	out := inputTexts(inputs)
	maps.DeleteFunc(out, func(_, text string) bool { return strings.Contains(text, "{{") })
	return out
}

// given gives the inputs as the server takes them: it makes of text what the manifest declares.
func (f runForm) given() map[string]any {
	out := make(map[string]any, len(f.Inputs))
	for name, text := range f.Inputs {
		var list []any
		if strings.HasPrefix(text, "[") && json.Unmarshal([]byte(text), &list) == nil {
			out[name] = list
			continue
		}
		out[name] = text
	}
	return out
}

// request gives what is to be run, of the nodes of sel.
func (f runForm) request(c *gin.Context, sel server.Selection) (server.RunRequest, error) {
	ctx := c.Request.Context()
	req := server.RunRequest{Action: f.Action, Inputs: f.given(), Selection: sel, Caller: auth.From(ctx).Name, User: asker(ctx)}
	if f.Timeout == "" {
		return req, nil
	}
	var err error
	if req.Timeout, err = time.ParseDuration(f.Timeout); err != nil || req.Timeout <= 0 {
		return req, fmt.Errorf("timeout: %q is not a span of time such as 30s or 5m: %w", cut(f.Timeout, maxCell), fettle.ErrInvalid)
	}
	return req, nil
}

// runFormPage asks what is to be run, of whom.
type runFormPage struct {
	base
	Form    runForm
	Actions []server.Action
	Chosen  *server.Action // nil: none is, or there is none of that name
	Inputs  []inputField
	Fault   string
	Preview *preview // nil: it has not been looked at yet
	Same    []command
}

// Rest gives how many inputs there are that need not be given, and are not.
func (p runFormPage) Rest() (n int) {
	for _, in := range p.Inputs {
		if !in.Required && in.Value == "" {
			n++
		}
	}
	return n
}

// inputField is one input of the chosen action.
type inputField struct {
	Name, Description, Value, Kind string // kind: text, or password for what is secret
	Required                       bool
	Choices                        []string
	Hint                           string
}

// preview is whom a run would ask.
type preview struct {
	Roster    string
	Count     int
	Sample    folded
	Undefined int
	Refused   []fettle.Refusal
	Filter    fettle.Filter
	Long      string // what is asked for, in words
}

// newRun draws the form.
func (s *site) newRun(c *gin.Context) error {
	p := s.runFormPage(c, parseRunForm(c.Request.URL.Query()))
	return s.draw(c, http.StatusOK, "runform.html", "layout", p)
}

func (s *site) runFormPage(c *gin.Context, f runForm) runFormPage {
	p := runFormPage{base: s.base(c, "Run", "runs"), Form: f, Actions: s.fleet.Actions(c.Request.Context())}
	slices.SortFunc(p.Actions, func(a, b server.Action) int { return cmp.Compare(a.Name, b.Name) })
	if i := slices.IndexFunc(p.Actions, func(a server.Action) bool { return a.Name == f.Action }); i >= 0 {
		p.Chosen = &p.Actions[i]
		p.Inputs = inputFields(p.Chosen, f.Inputs)
	} else if f.Action != "" {
		p.Fault = fmt.Sprintf("There is no action %q.", cut(f.Action, maxCell))
	}
	p.Same = commandsOfRunForm(c.Request, f)
	return p
}

func inputFields(a *server.Action, values map[string]string) []inputField {
	var out []inputField
	for _, in := range a.Inputs {
		field := inputField{Name: in.Name, Description: in.Description, Value: values[in.Name], Kind: "text", Required: in.Required, Choices: in.Enum}
		if in.Secret {
			field.Kind, field.Value = "password", ""
		}
		hint := []string{string(in.Type)}
		if in.Default != nil {
			hint = append(hint, fmt.Sprintf("left empty: %v", in.Default))
		}
		field.Hint = strings.Join(hint, ", ")
		out = append(out, field)
	}
	return out
}

// previewRun shows whom the run would ask, before anything leaves.
func (s *site) previewRun(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return fmt.Errorf("the form cannot be read: %w", fettle.ErrInvalid)
	}
	f := parseRunForm(c.Request.PostForm)
	p := s.runFormPage(c, f)
	if p.Chosen == nil {
		return s.draw(c, http.StatusUnprocessableEntity, "runform.html", "layout", p)
	}
	ctx, everybody := c.Request.Context(), c.PostForm("all") != ""
	if f.Where == "" && !everybody {
		p.Fault = "No filter was given. For every node there is, say so."
		return s.draw(c, http.StatusUnprocessableEntity, "runform.html", "layout", p)
	}
	var roster fettle.Roster
	read, err := read(reading{Text: f.Where}, func(r reading) (err error) {
		roster, err = s.fleet.Preview(ctx, r.selection())
		return err
	})
	var refused []fettle.Refusal
	if err == nil {
		var req server.RunRequest
		if req, err = f.request(c, server.Selection{Roster: roster.ID}); err == nil {
			refused, err = s.fleet.Refusals(ctx, req, roster.Nodes)
		}
	}
	if err != nil {
		p.Fault = said(err)
		return s.draw(c, http.StatusUnprocessableEntity, "runform.html", "layout", p)
	}
	p.Preview = &preview{Roster: roster.ID, Count: len(roster.Nodes), Sample: fold(roster.Nodes, 4*foldedWide), Undefined: roster.Undefined, Refused: refused, Filter: read.CEL}
	p.Title = "Run " + f.Action
	return s.draw(c, http.StatusOK, "runform.html", "layout", p)
}

// startRun starts the run that was looked at: exactly those nodes.
func (s *site) startRun(c *gin.Context) error {
	if err := c.Request.ParseForm(); err != nil {
		return fmt.Errorf("the form cannot be read: %w", fettle.ErrInvalid)
	}
	f := parseRunForm(c.Request.PostForm)
	roster := c.PostForm("roster")
	if roster == "" {
		return fmt.Errorf("a run is looked at before it starts, and this form has no roster: %w", fettle.ErrInvalid)
	}
	req, err := f.request(c, server.Selection{Roster: roster})
	if err != nil {
		return err
	}
	run, err := s.fleet.StartRun(c.Request.Context(), req)
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/runs/"+string(run.ID))
	return nil
}
