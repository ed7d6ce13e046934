package web

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// Config holds the settings of the pages. The zero value works.
type Config struct {
	NotFound gin.HandlerFunc  // answers for paths below /api/ where nothing is; nil: a page does
	Refresh  time.Duration    // open pages follow the inventory at most so often; zero: 2 s
	Files    fs.FS            // development: templates/ and static/ are read from here, at every request; nil: those in the program
	Now      func() time.Time // nil: time.Now
	People   *auth.People     // who signs in by name; nil: nobody does
	SignOn   SignOn           // signs people in elsewhere; nil: nobody does
	Audit    *audit.Log       // nil: nothing is put down
	Remedies Remedies         // nil: nothing is run on change
	Broker   Broker           // nil: it is not the server's own
}

// defaultRefresh is how often an open page may draw itself anew: a fleet of thousands changes all the time, and a person has to read.
const defaultRefresh = 2 * time.Second

// SignOn asks an OpenID Connect provider who somebody is; *directory.OIDC is one. It is safe for concurrent use. ErrDenied: the answer is not to be
// believed; ErrUnavailable: the provider is away.
type SignOn interface {
	Label() string
	Begin(ctx context.Context, next string) (address, kept string, err error)
	Finish(ctx context.Context, code, state, kept string) (id auth.Identity, next string, err error)
}

// Fleet is the server, as this package calls it; *server.Server is one. All methods are safe for concurrent use, end with their ctx, and
// wrap the kinds of error of package fettle.
type Fleet interface {
	Questions
	Verdicts
	Silences
	Runs
	Letters
	Pipeline
}

// Verdicts gives checks, groups, and how they are.
type Verdicts interface {
	CheckDefinitions(ctx context.Context) ([]fettle.KeptCheck, error)
	CheckDefinition(ctx context.Context, name string) (fettle.KeptCheck, error) // ErrNotFound
	// SaveCheck makes or changes a check. ErrInvalid: its faults, each by its key; ErrConflict: it has changed since; ErrDenied.
	SaveCheck(ctx context.Context, c server.CheckChange) (fettle.KeptCheck, error)
	TestCheck(ctx context.Context, t server.CheckTest) (tested []server.TestedNode, meant int, err error)
	DeleteCheck(ctx context.Context, name string, caller server.Asker, admin bool) error
	Commands(ctx context.Context) []string // check commands that some node offers
	Groups(ctx context.Context) []fettle.Group
	Verdicts(ctx context.Context) ([]fettle.Verdict, error) // shared: not to be changed
	Verdict(ctx context.Context, q server.VerdictQuery) (fettle.Verdict, error)
	VerdictMap(ctx context.Context, q server.MapQuery) (server.VerdictMap, error)
	CheckHistory(ctx context.Context, q server.TransitionQuery) ([]server.Transition, error) // the newest first; ErrNotFound
	// Availability reckons how long a check had which status. ErrUnavailable: too much has changed to be reckoned at once.
	Availability(ctx context.Context, q server.AvailabilityQuery) (server.Availability, error)
}

// Questions asks about nodes. ErrInvalid: the filter, as a *server.FilterError where the fault has a place in the text.
type Questions interface {
	Find(ctx context.Context, q server.FindQuery) (server.FindAnswer, error)
	Node(ctx context.Context, id fettle.NodeID) (server.NodeDetail, error) // ErrNotFound
	// NodeAt gives a node's facts as they were at a moment. ErrNotFound: it was not there; ErrInvalid: the history does not have the moment.
	NodeAt(ctx context.Context, id fettle.NodeID, at fettle.Millis) (server.NodeDetail, error)
	History(ctx context.Context, q server.HistoryQuery) ([]server.FactChange, error) // the newest first; ErrNotFound
	FactPaths(ctx context.Context, sel server.Selection) ([]server.PathInfo, error)
	Explain(ctx context.Context, text fettle.Filter, node fettle.NodeID) (server.Explanation, error) // node may be empty; ErrNotFound: it is none
	FactValues(ctx context.Context, path fettle.Path, sel server.Selection) (server.ValuesAnswer, error)
}

// Silences leaves bad states out of verdicts for a time. ErrInvalid: its words, each fault by its key.
type Silences interface {
	Silences(ctx context.Context, over bool) []server.SilenceView // the latest first
	AddSilence(ctx context.Context, one fettle.Silence, caller string) (server.SilenceView, error)
	EndSilence(ctx context.Context, id, caller string) (server.SilenceView, error)
	PreviewSilence(ctx context.Context, one fettle.Silence, caller string) (server.SilencePreview, error)
}

// Runs starts and follows runs.
type Runs interface {
	Actions(ctx context.Context) []server.Action
	Preview(ctx context.Context, sel server.Selection) (fettle.Roster, error)
	Refusals(ctx context.Context, req server.RunRequest, nodes []fettle.NodeID) ([]fettle.Refusal, error)
	StartRun(ctx context.Context, req server.RunRequest) (fettle.Run, error)
	RunByID(ctx context.Context, id fettle.RunID) (fettle.Run, error)
	Runs(ctx context.Context, limit int, cursor string) ([]fettle.Run, string, error)
	RunResults(ctx context.Context, id fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error)
	RunSilent(ctx context.Context, id fettle.RunID) ([]fettle.NodeID, error)
	WatchRun(ctx context.Context, id fettle.RunID) (<-chan server.RunUpdate, error)
	CancelRun(ctx context.Context, id fettle.RunID, caller string) (fettle.Run, error)
	RetryRun(ctx context.Context, id fettle.RunID, caller string, user server.Asker) (fettle.Run, error)
	StandingRuns(ctx context.Context) []fettle.Standing
	PauseStanding(ctx context.Context, name, caller string) (fettle.Standing, error)
	ResumeStanding(ctx context.Context, name, caller string) (fettle.Standing, error)
	EndStanding(ctx context.Context, name, caller string) error
}

// Letters gives dead letters: messages that were taken and could not be used.
type Letters interface {
	DeadLetters(ctx context.Context, q server.LetterQuery) ([]server.DeadLetter, error)                   // the newest first
	DeadLetter(ctx context.Context, seq int64) (server.DeadLetter, server.LetterEnvelope, error)          // ErrNotFound
	ReplayDeadLetters(ctx context.Context, p server.LetterPick, caller string) (server.Replayed, error)   // those that are taken are deleted
	DeleteDeadLetters(ctx context.Context, p server.LetterPick, caller string) (deleted int64, err error) // without a word of what is not there
}

// Pipeline tells how the server is.
type Pipeline interface {
	Counts() map[fettle.Liveness]int
	Changes(ctx context.Context) <-chan struct{} // receives, coalesced, when the inventory has changed; closed when ctx ends
	Ready(ctx context.Context) error             // nil, or why questions cannot be answered
	Version() string
}

// site is the pages at work.
type site struct {
	cfg    Config
	fleet  Fleet
	keeper *auth.Keeper
	log    *slog.Logger
	look   func() (*look, error)
	paths  pathCache

	digests digests
	csrf    *http.CrossOriginProtection
}

// Mount adds the pages to r, beside whatever else is routed there. A template that is broken is an error.
func Mount(r *gin.Engine, cfg Config, fleet Fleet, keeper *auth.Keeper, log *slog.Logger) error {
	if cfg.Refresh == 0 {
		cfg.Refresh = defaultRefresh
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &site{cfg: cfg, fleet: fleet, keeper: keeper, log: log, csrf: http.NewCrossOriginProtection()}
	if err := s.dress(); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	s.routes(r)
	return nil
}

// dress reads templates and files: once, or at every request where they are being worked on.
func (s *site) dress() error {
	if s.cfg.Files != nil {
		s.look = func() (*look, error) { return newLook(s.cfg.Files) }
		_, err := s.look()
		return err
	}
	l, err := newLook(embedded)
	s.look = func() (*look, error) { return l, nil }
	return err
}

// both are the methods by which a page is read.
var both = []string{http.MethodGet, http.MethodHead}

func (s *site) routes(r *gin.Engine) {
	pages := r.Group("/", protect)
	pages.Match(both, "/", s.page(s.home))
	pages.Match(both, "/nodes", s.page(within(s.nodes)))
	pages.Match(both, "/nodes/:identity", s.page(within(s.node)))
	pages.Match(both, "/checks", s.page(within(s.board)))
	pages.Match(both, "/checks/:name", s.page(within(s.check)))
	pages.Match(both, "/checks/:name/map", s.page(within(s.checkMap)))
	pages.Match(both, "/checks/:name/history", s.page(within(s.checkHistory)))
	pages.Match(both, "/checks/:name/nodes/:identity", s.page(within(s.checkNode)))
	pages.POST("/checks/:name/nodes/:identity/ask", s.act(opAskVerdict, auth.Operator, s.askNode))
	pages.POST("/checks/:name/ask", s.act(opAskVerdict, auth.Operator, s.ask))
	pages.Match(both, defineURL, s.page(within(s.newCheck)))
	pages.Match(both, "/checks/:name/edit", s.page(within(s.editCheck)))
	pages.POST(defineURL+"/look", s.act(opSaveCheck, auth.Operator, s.lookCheck))
	pages.POST(defineURL+"/view", s.act(opSaveCheck, auth.Operator, s.viewCheck))
	pages.POST(defineURL+"/test", s.act(opTestCheck, auth.Operator, s.testCheck))
	pages.POST(defineURL, s.act(opSaveCheck, auth.Operator, s.saveCheck))
	pages.POST("/checks/:name/delete", s.act(opDeleteCheck, auth.Operator, s.deleteCheck))
	pages.Match(both, "/now", s.page(within(s.now)))
	pages.POST("/now/silence", s.act(opAddSilence, auth.Operator, s.quiet))
	pages.Match(both, "/silences", s.page(within(s.silences)))
	pages.Match(both, "/silences/new", s.page(within(s.newSilence)))
	pages.POST("/silences/preview", s.act(opAddSilence, auth.Operator, s.previewSilence))
	pages.POST("/silences", s.act(opAddSilence, auth.Operator, s.addSilence))
	pages.POST("/silences/:id/end", s.act(opEndSilence, auth.Operator, s.endSilence))
	pages.Match(both, "/runs", s.page(within(s.runs)))
	pages.GET("/runs/changes", s.page(s.runsChanges))
	pages.Match(both, "/runs/new", s.page(within(s.newRun)))
	pages.POST("/runs/preview", s.act(opStartRun, auth.Operator, s.previewRun))
	pages.POST("/runs", s.act(opStartRun, auth.Operator, s.startRun))
	pages.Match(both, "/runs/:id", s.page(within(s.run)))
	pages.GET("/runs/:id/changes", s.page(s.runChanges))
	pages.GET("/runs/:id/results.csv", s.page(s.runCSV))
	pages.POST("/runs/:id/cancel", s.act(opCancelRun, auth.Operator, s.cancelRun))
	pages.POST("/runs/:id/retry", s.act(opRetryRun, auth.Operator, s.retryRun))
	pages.POST("/standing/:name/pause", s.act(opPauseStand, auth.Operator, s.standing(opPauseStand)))
	pages.POST("/standing/:name/resume", s.act(opResumeStand, auth.Operator, s.standing(opResumeStand)))
	pages.POST("/standing/:name/end", s.act(opEndStand, auth.Operator, s.standing(opEndStand)))
	pages.Match(both, "/broker", s.page(within(s.broker)))
	pages.Match(both, "/broker/connections", s.page(within(s.brokerList("connections"))))
	pages.Match(both, "/broker/destinations", s.page(within(s.brokerList("destinations"))))
	pages.POST("/broker/connections/:who/end", s.act(opDisconnect, auth.Admin, s.endConnection))
	pages.Match(both, "/broker/letters", s.page(within(s.letters)))
	pages.Match(both, "/broker/letters/:seq", s.page(within(s.letter)))
	pages.POST("/broker/letters/replay", s.act(opReplayLetters, auth.Admin, s.replayLetters))
	pages.POST("/broker/letters/delete", s.act(opDeleteLetters, auth.Admin, s.deleteLetters))
	pages.GET("/changes", s.page(s.changes)) // as long as the page is open
	pages.GET("/login", s.open(s.login))
	pages.POST("/login", s.open(s.enter))
	pages.GET("/login/oidc", s.open(s.signOn))
	pages.GET("/login/oidc/callback", s.open(s.signedOn))
	pages.POST("/logout", s.open(s.logout))
	pages.Match(both, "/static/:hash/*name", s.static)
	r.NoRoute(s.noRoute)
}

// home sends people to where they can do something.
func (s *site) home(c *gin.Context) error {
	c.Redirect(http.StatusSeeOther, "/nodes")
	return nil
}
