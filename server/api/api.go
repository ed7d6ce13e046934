package api

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// Config holds the settings of the REST face. The zero value works.
type Config struct {
	Timeout      time.Duration     // how long a request may take; zero: 30 s. Live verdicts and streams have limits of their own
	MetricsToken string            // what /metrics wants as a bearer token; empty: it is open
	Meters       []func(io.Writer) // further parts of /metrics in the Prometheus text format, such as the broker's
	Docs         fs.FS             // swagger-ui.css and swagger-ui-bundle.js for /docs; nil: there is no /docs
	ShrinkTo     float64           // a list of scrape targets that falls below this part of what it was is held back; zero: 0.5; below zero: never
	ShrinkHold   time.Duration     // for so long; zero: 10 minutes; at most MaxShrinkHold
	Now          func() time.Time  // nil: time.Now
	Broker       Broker            // nil: the server uses a broker that is not its own
	People       *auth.People      // who signs in by name; nil: nobody does
	Audit        *audit.Log        // nil: nothing is put down
	Enrolments   Enrolments        // nil: no node can enrol
	Alerts       Alerts            // nil: nobody is told of anything
	Remedies     Remedies          // nil: nothing is run on change
}

// MaxShrinkHold is how long a list of scrape targets may be held.
const MaxShrinkHold = 7 * 24 * time.Hour

// defaults gives c with what is not set.
func (c Config) defaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.ShrinkTo == 0 {
		c.ShrinkTo = 0.5
	}
	if c.ShrinkHold == 0 {
		c.ShrinkHold = 10 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports every fault of c, each by its key.
func (c Config) Validate() error {
	var faults []error
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: %s is below zero: %w", c.Timeout, fettle.ErrInvalid))
	}
	if c.ShrinkTo > 1 {
		faults = append(faults, fmt.Errorf("shrink-to: %g is above 1: %w", c.ShrinkTo, fettle.ErrInvalid))
	}
	if c.ShrinkHold < 0 || c.ShrinkHold > MaxShrinkHold {
		faults = append(faults, fmt.Errorf("shrink-hold: %s is below zero, or above %s: %w", c.ShrinkHold, MaxShrinkHold, fettle.ErrInvalid))
	}
	return errors.Join(faults...)
}

// rest is the REST face at work.
type rest struct {
	cfg    Config
	fleet  Fleet
	keeper *auth.Keeper
	log    *slog.Logger
	huma   huma.API
	guard  *shrinkGuard
}

// New makes a handler that serves REST alone.
func New(cfg Config, fleet Fleet, keeper *auth.Keeper, log *slog.Logger) (http.Handler, error) {
	r := NewEngine(log)
	if err := Mount(r, cfg, fleet, keeper, log); err != nil {
		return nil, err
	}
	return r, nil
}

// Mount adds the routes of REST to r, which NewEngine made and which pages may share.
func Mount(r *gin.Engine, cfg Config, fleet Fleet, keeper *auth.Keeper, log *slog.Logger) error {
	_, err := mount(r, cfg, fleet, keeper, log)
	return err
}

func mount(r *gin.Engine, cfg Config, fleet Fleet, keeper *auth.Keeper, log *slog.Logger) (*rest, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.defaults()
	a := &rest{cfg: cfg, fleet: fleet, keeper: keeper, log: log, guard: newShrinkGuard(cfg.Now, log)}
	a.huma = humagin.New(r, description())
	a.routes()
	document, err := a.document()
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	a.plainRoutes(r, document)
	return a, nil
}

// routes registers every typed handler: one method per file and noun.
func (a *rest) routes() {
	a.nodeRoutes()
	a.liveRoutes()
	a.factRoutes()
	a.filterRoutes()
	a.savedRoutes()
	a.runRoutes()
	a.outputRoutes()
	a.standingRoutes()
	a.eventRoutes()
	a.checkRoutes()
	a.remedyRoutes()
	a.mapRoutes()
	a.prometheusRoutes()
	a.alertRoutes()
	a.tokenRoutes()
	a.enrolRoutes()
	a.brokerRoutes()
	a.letterRoutes()
	a.sessionRoutes()
	a.userRoutes()
	a.groupRoutes()
	a.silenceRoutes()
	a.policyRoutes()
	a.pluginRoutes()
	a.auditRoutes()
	a.aboutRoutes()
}
