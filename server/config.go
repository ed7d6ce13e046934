package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/facts"
)

// Config holds the settings of a server's work; listeners, store and broker are opened by cmd/fettle and handed in.
type Config struct {
	Collective string        `yaml:"collective" help:"what destinations begin with; empty stands for fettle"`
	Beat       time.Duration `yaml:"beat-interval" help:"how often agents say that they are there; a node is late after two beats and silent after five"`
	Volatile   []string      `yaml:"volatile" help:"patterns of fact paths that are left out of history"`
	RunsKept   time.Duration `yaml:"runs-kept" help:"how long ended runs, their tasks and results are kept"`
	FactsKept  time.Duration `yaml:"facts-kept" help:"how long the history of facts, transitions and events is kept"`
	// ForgetAfter counts what the server knows of: a server that was away for long waits a day before it forgets anybody.
	ForgetAfter time.Duration `yaml:"forget-after" help:"nodes that have been silent for so long are forgotten, with their facts and history; 0: never"`
	// FilterBudget is asked for where no index answers: a question that would take longer is refused, and its error says how long.
	FilterBudget time.Duration `yaml:"filter-budget" help:"how long a question may evaluate its filter node by node, where no index answers; 0: no limit but that of the request"`
	Checks       []CheckConfig `yaml:"checks" help:"checks that agents keep and that verdicts are folded of"`
	File         string        `yaml:"-"` // where these settings stand; empty: nowhere
	Version      string        `yaml:"-"`
}

// CheckConfig defines a check in the configuration file.
type CheckConfig struct {
	Name      string        `yaml:"name"`
	Command   string        `yaml:"command"` // a check command of the nodes; empty: Name
	Filter    fettle.Filter `yaml:"filter"`  // in CEL or the short form, @names of saved filters within; empty: the nodes that offer the command
	Interval  time.Duration `yaml:"interval"`
	Timeout   time.Duration `yaml:"timeout"`
	Attempts  int           `yaml:"attempts"`
	Retry     time.Duration `yaml:"retry"`
	Undefined string        `yaml:"undefined"` // "unknown": nodes for which Filter is undefined count as unknown
	Args      []string      `yaml:"args"`
}

// DefaultConfig gives the settings that hold where nothing else is said.
func DefaultConfig() Config {
	return Config{
		Beat:         30 * time.Second,
		Volatile:     facts.DefaultVolatile(),
		RunsKept:     30 * 24 * time.Hour,
		FactsKept:    90 * 24 * time.Hour,
		FilterBudget: 5 * time.Second,
		Version:      "dev",
	}
}

// Bounds of the settings.
const (
	minBeat = 100 * time.Millisecond
	maxBeat = time.Hour
)

// Validate reports every fault of c, each by its key.
func (c Config) Validate() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if c.Beat < minBeat || c.Beat > maxBeat {
		bad("beat-interval", "%s is not between %s and %s", c.Beat, minBeat, maxBeat)
	}
	if c.RunsKept <= 0 {
		bad("runs-kept", "%s is not above zero", c.RunsKept)
	}
	if c.FactsKept <= 0 {
		bad("facts-kept", "%s is not above zero", c.FactsKept)
	}
	if c.ForgetAfter != 0 && c.ForgetAfter < minForgetAfter {
		bad("forget-after", "%s is below %s; 0 forgets nobody", c.ForgetAfter, minForgetAfter)
	}
	if c.FilterBudget < 0 {
		bad("filter-budget", "%s is below zero; 0 sets no limit", c.FilterBudget)
	}
	if _, err := facts.NewVolatile(c.Volatile); err != nil {
		bad("volatile", "%v", err)
	}
	names := map[string]bool{}
	for i, check := range c.Checks {
		in := func(key string) string { return fmt.Sprintf("checks[%d].%s", i, key) }
		if names[check.Name] {
			bad(in("name"), "%q is defined twice", check.Name)
		}
		names[check.Name] = true
		check.validate(func(key, format string, args ...any) { bad(in(key), format, args...) })
	}
	return errors.Join(faults...)
}

// validate reports every fault of c: those that any definition would have.
func (c CheckConfig) validate(bad func(key, format string, args ...any)) {
	for key, d := range map[string]time.Duration{"interval": c.Interval, "timeout": c.Timeout, "retry": c.Retry} {
		if d < 0 {
			bad(key, "%s is below zero", d)
			return
		}
	}
	_, err := checks.Define(c.definition())
	for _, one := range fettle.Faults(err) {
		var f *fettle.Fault
		if errors.As(one, &f) {
			bad(f.Key, "%s", f.Reason)
			continue
		}
		key, reason, _ := strings.Cut(one.Error(), ": ")
		bad(key, "%s", reason)
	}
}

// provisions tells whether a check is defined in the configuration.
func (c Config) provisions(name string) bool {
	return slices.ContainsFunc(c.Checks, func(one CheckConfig) bool { return one.Name == name })
}

// definition gives what c says as a definition.
func (c CheckConfig) definition() fettle.CheckDefinition {
	command := c.Command
	if command == "" {
		command = c.Name
	}
	return fettle.CheckDefinition{
		Name: c.Name, NRPE: command, Args: c.Args, Filter: c.Filter, Interval: fettle.Span(c.Interval), Timeout: fettle.Span(c.Timeout), Attempts: c.Attempts,
		Retry: fettle.Span(c.Retry), Undefined: fettle.CheckStatus(c.Undefined),
	}
}

func orDefault[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}
