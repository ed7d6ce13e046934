package server

import (
	"errors"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/filter"
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

// Bounds of the settings, and what a check has where its definition is silent.
const (
	minBeat          = 100 * time.Millisecond
	maxBeat          = time.Hour
	defaultInterval  = time.Minute
	minCheckInterval = time.Second
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

func (c CheckConfig) validate(bad func(key, format string, args ...any)) {
	if c.Name == "" {
		bad("name", "a check needs a name")
	}
	if c.Interval != 0 && c.Interval < minCheckInterval {
		bad("interval", "%s is below %s", c.Interval, minCheckInterval)
	}
	for key, d := range map[string]time.Duration{"timeout": c.Timeout, "retry": c.Retry} {
		if d < 0 {
			bad(key, "%s is below zero", d)
		}
	}
	if c.Attempts < 0 {
		bad("attempts", "%d is below zero", c.Attempts)
	}
	if c.Undefined != "" && c.Undefined != string(fettle.CheckUnknown) {
		bad("undefined", "%q: only \"unknown\" may stand here", c.Undefined)
	}
	if c.Filter != "" {
		if _, err := written(c.Filter); err != nil {
			bad("filter", "%v", err)
		}
	}
}

// written gives in CEL what a person wrote into a file, in CEL or the short form. Names of saved filters stay in place.
func written(text fettle.Filter) (fettle.Filter, error) {
	_, err := filter.Compile(filter.Node, filter.Open(text))
	if err == nil {
		return text, nil
	}
	cel, shortErr := filter.Parse(text)
	if shortErr != nil {
		return "", err
	}
	_, err = filter.Compile(filter.Node, filter.Open(cel))
	return cel, err
}

// definition makes a Check of c, with what c leaves open filled in, and saved filters by their names.
func (c CheckConfig) definition() (fettle.Check, error) {
	command := c.Command
	if command == "" {
		command = c.Name
	}
	check := fettle.Check{
		Name: c.Name, Action: actionCheck, Inputs: map[string]any{"command": command},
		Interval: orDefault(c.Interval, defaultInterval).Milliseconds(), Timeout: orDefault(c.Timeout, fettle.DefaultTimeout).Milliseconds(),
		Attempts: max(c.Attempts, 1), Retry: c.Retry.Milliseconds(), Undefined: fettle.CheckStatus(c.Undefined),
	}
	if len(c.Args) > 0 {
		check.Inputs["args"] = c.Args
	}
	if c.Filter != "" {
		text, err := written(c.Filter)
		if err != nil {
			return fettle.Check{}, fmt.Errorf("check %s: %w", c.Name, err)
		}
		check.Filter = text
	}
	return check, nil
}

func orDefault[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}
