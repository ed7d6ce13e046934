package web

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// The operations of REST that are done to dead letters.
const (
	opReplayLetters = "replay-dead-letters"
	opDeleteLetters = "delete-dead-letters"
)

// Bounds of pages of dead letters.
const (
	lettersShown  = 50
	refusalsShown = 20
	widestLetter  = 16 << 10 // bytes of a body
)

// letterKinds are why a message became a dead letter.
func letterKinds() []string {
	return []string{"signature", "sender", "enrolment", "content", "unstorable", "panic"}
}

// letterAsk says which dead letters are meant.
type letterAsk struct{ Sender, Kind, Reason string }

func parseLetterAsk(v url.Values) letterAsk {
	a := letterAsk{Sender: cut(strings.TrimSpace(v.Get("sender")), 253), Kind: v.Get("kind"), Reason: cut(strings.TrimSpace(v.Get("reason")), maxCell)}
	if !slices.Contains(letterKinds(), a.Kind) {
		a.Kind = ""
	}
	return a
}

func (a letterAsk) query() server.LetterQuery {
	return server.LetterQuery{Sender: a.Sender, Kind: a.Kind, Text: a.Reason}
}

// Any tells whether the question is narrower than all of them.
func (a letterAsk) Any() bool { return a != letterAsk{} }

// URL gives the link to the page of those before a number.
func (a letterAsk) URL(before int64) string {
	v := url.Values{}
	for key, value := range map[string]string{"sender": a.Sender, "kind": a.Kind, "reason": a.Reason} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if before > 0 {
		v.Set("before", strconv.FormatInt(before, 10))
	}
	return strings.TrimSuffix("/broker/letters?"+v.Encode(), "?")
}

// lettersPage lists dead letters, the newest first.
type lettersPage struct {
	base
	Ask          letterAsk
	Kinds        []string
	Rows         []letterRow
	More, Newest string
	MayRule      bool
	Done         string // what has just been done
	Refused      []letterRefusal
	MoreRefused  int
	Same         []command
}

// Self gives the link to the first page.
func (p lettersPage) Self() string { return p.Ask.URL(0) }

// letterRow is one dead letter.
type letterRow struct {
	Seq         int64
	URL         string
	At          moment
	Sender      string
	NodeURL     string // empty: it did not say
	Destination string
	Size        string
	Kind        string
	Reason      string
	Whole       bool
}

type letterRefusal struct {
	Seq    int64
	Reason string
}

func (s *site) letterRow(l server.DeadLetter) letterRow {
	row := letterRow{
		Seq: l.Seq, URL: "/broker/letters/" + strconv.FormatInt(l.Seq, 10), At: s.moment(l.At), Sender: l.Sender, Destination: clean(l.Destination), Kind: l.Kind,
		Size: sizeOf(float64(max(l.Size, int64(len(l.Body))))), Reason: cut(clean(l.Reason), widestAnswer), Whole: l.Whole(),
	}
	if _, err := fettle.ParseNodeID(l.Sender); err == nil {
		row.NodeURL = "/nodes/" + url.PathEscape(l.Sender)
	}
	return row
}

// letters draws the list. Messages of nodes have what only operators may see.
func (s *site) letters(c *gin.Context) error {
	if err := auth.From(c.Request.Context()).Need(auth.Operator); err != nil {
		return err
	}
	p, err := s.lettersPage(c, parseLetterAsk(c.Request.URL.Query()))
	if err != nil {
		return err
	}
	return s.drawBroker(c, "letters.html", p)
}

func (s *site) lettersPage(c *gin.Context, ask letterAsk) (lettersPage, error) {
	p := lettersPage{base: s.base(c, "Dead letters", "broker"), Ask: ask, Kinds: letterKinds(), Same: commandsOfLetters(c.Request, ask)}
	p.MayRule = p.mayRule()
	q := ask.query()
	q.Before, _ = strconv.ParseInt(c.Query("before"), 10, 64) // what is no number begins with the newest
	q.Limit = lettersShown
	if p.Live = q.Before <= 0; !p.Live {
		p.Newest = ask.URL(0)
	}
	found, err := s.fleet.DeadLetters(c.Request.Context(), q)
	if err != nil {
		return p, err
	}
	for _, l := range found {
		p.Rows = append(p.Rows, s.letterRow(l))
	}
	if len(found) == lettersShown {
		p.More = ask.URL(found[len(found)-1].Seq)
	}
	return p, nil
}

// letterPage is one dead letter with what is in it.
type letterPage struct {
	base
	Letter   letterRow
	Header   []property
	Envelope []property // as it says itself
	Fault    string     // why the envelope cannot be read
	Body     string
	Cut      bool
	MayRule  bool
	Same     []command
}

func (s *site) letter(c *gin.Context) error {
	ctx := c.Request.Context()
	if err := auth.From(ctx).Need(auth.Operator); err != nil {
		return err
	}
	seq, err := strconv.ParseInt(c.Param("seq"), 10, 64)
	if err != nil || seq < 1 {
		return fmt.Errorf("%q is no number of a dead letter: %w", cut(c.Param("seq"), maxCell), fettle.ErrNotFound)
	}
	l, env, err := s.fleet.DeadLetter(ctx, seq)
	if err != nil {
		return err
	}
	p := letterPage{base: s.base(c, "Dead letter "+strconv.FormatInt(seq, 10), "broker"), Letter: s.letterRow(l), Fault: clean(env.Fault)}
	p.MayRule = p.mayRule()
	p.Same = []command{{"CLI", fmt.Sprintf("fettle broker dead-letters show %d", seq)}, {"REST", curl(c.Request, fmt.Sprintf("/api/v1/dead-letters/%d", seq), nil)}}
	for name, value := range l.Header {
		p.Header = append(p.Header, property{Name: cut(clean(name), maxCell), Text: cut(clean(value), widestAnswer)})
	}
	slices.SortFunc(p.Header, func(a, b property) int { return strings.Compare(a.Name, b.Name) })
	if env.Fault == "" {
		p.Envelope = []property{{Name: "type", Text: env.Type}, {Name: "id", Text: env.ID}, {Name: "from", Text: env.From}, {Name: "to", Text: env.To}, {Name: "sent", Text: s.moment(env.At).Full}}
		p.Envelope = slices.DeleteFunc(p.Envelope, func(r property) bool { return r.Text == "" })
	}
	p.Body, p.Cut = bodyText(l, env)
	return s.draw(c, http.StatusOK, "letter.html", "layout", p)
}

// bodyText gives what is in a dead letter as a person reads it; true: there is more of it.
func bodyText(l server.DeadLetter, env server.LetterEnvelope) (string, bool) {
	text := ""
	switch {
	case env.Fault == "":
		var b bytes.Buffer
		if json.Indent(&b, env.Body, "", "  ") != nil {
			b.Write(env.Body)
		}
		text = clean(b.String())
	case utf8.Valid(l.Body):
		text = clean(string(l.Body))
	default:
		text = hex.Dump(l.Body[:min(len(l.Body), widestLetter/4)])
		return text, len(l.Body) > widestLetter/4
	}
	return cut(text, widestLetter), len(text) > widestLetter
}

// letterPick reads which dead letters a form is about.
func letterPick(c *gin.Context) (server.LetterPick, letterAsk, error) {
	if err := c.Request.ParseForm(); err != nil {
		return server.LetterPick{}, letterAsk{}, fmt.Errorf("the form cannot be read: %w", fettle.ErrInvalid)
	}
	ask := parseLetterAsk(c.Request.PostForm)
	pick := server.LetterPick{}
	if c.PostForm("all") != "" {
		q := ask.query()
		pick.Match = &q
		return pick, ask, nil
	}
	for _, text := range c.Request.PostForm["seq"] {
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seq < 1 {
			return pick, ask, fmt.Errorf("%q is no number of a dead letter: %w", cut(text, maxCell), fettle.ErrInvalid)
		}
		pick.Seqs = append(pick.Seqs, seq)
	}
	if len(pick.Seqs) == 0 {
		return pick, ask, fmt.Errorf("no dead letter is chosen: %w", fettle.ErrInvalid)
	}
	return pick, ask, nil
}

// whichLetters says for the audit log which dead letters were meant.
func whichLetters(pick server.LetterPick, ask letterAsk) any {
	if pick.Match == nil {
		return map[string]any{"seqs": pick.Seqs}
	}
	return map[string]any{"match": map[string]string{"sender": ask.Sender, "kind": ask.Kind, "reason": ask.Reason}}
}

// replayLetters hands dead letters in again.
func (s *site) replayLetters(c *gin.Context) error {
	ctx := c.Request.Context()
	pick, ask, err := letterPick(c)
	if err != nil {
		return err
	}
	caller := auth.From(ctx).Name
	sum, err := s.fleet.ReplayDeadLetters(ctx, pick, caller)
	if err != nil {
		return err
	}
	s.cfg.Audit.Note(ctx, caller, "dead-letters.replay", "", audit.Details{"which": whichLetters(pick, ask), "taken": sum.Taken, "refused": len(sum.Refused)})
	p, err := s.lettersPage(c, ask)
	if err != nil {
		return err
	}
	p.Live = false // what became of them stays to be read
	p.Done = fmt.Sprintf("%s taken, %s refused again.", thousands(sum.Taken), thousands(len(sum.Refused)))
	p.MoreRefused = max(0, len(sum.Refused)-refusalsShown)
	for _, r := range sum.Refused[:min(len(sum.Refused), refusalsShown)] {
		p.Refused = append(p.Refused, letterRefusal{r.Seq, cut(clean(r.Reason), widestAnswer)})
	}
	return s.draw(c, http.StatusOK, "letters.html", "layout", p)
}

// deleteLetters takes dead letters away.
func (s *site) deleteLetters(c *gin.Context) error {
	ctx := c.Request.Context()
	pick, ask, err := letterPick(c)
	if err != nil {
		return err
	}
	caller := auth.From(ctx).Name
	n, err := s.fleet.DeleteDeadLetters(ctx, pick, caller)
	if err != nil {
		return err
	}
	s.cfg.Audit.Note(ctx, caller, "dead-letters.delete", "", audit.Details{"which": whichLetters(pick, ask), "deleted": n})
	c.Redirect(http.StatusSeeOther, ask.URL(0))
	return nil
}
