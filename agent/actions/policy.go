package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Policy is the node's own say in what is done on it, and the last one: a file of rules, each a filter over this node, the user, the action and
// its inputs. The first rule that is true decides; one that is undefined refuses. It is read again when the file has changed; while it cannot be
// read, everything is refused. A nil one allows everything. It is safe for concurrent use.
type Policy struct {
	path     string
	optional bool // where there is no file, everything is allowed
	log      *slog.Logger

	mu    sync.Mutex // guards what follows
	rules []rule
	allow bool   // what no rule decides
	err   error  // why the file cannot be used
	stamp string // of the file as it was when it was read
}

// rule is one filter, and what follows when it is true.
type rule struct {
	name    string
	allow   bool
	program *filter.Program
}

// maxPolicy bounds the file, in bytes.
const maxPolicy = 64 << 10

// OpenPolicy reads the policy at path; one that is optional need not be there, and holds from when it is. The error names every fault of it.
func OpenPolicy(path string, optional bool, log *slog.Logger) (*Policy, error) {
	p := &Policy{path: path, optional: optional, log: log}
	p.read()
	return p, p.err
}

// read is called with mu held, or before there is anyone else.
func (p *Policy) read() {
	p.stamp = stampOf([]string{p.path})
	raw, err := readCapped(p.path, maxPolicy)
	if errors.Is(err, fs.ErrNotExist) {
		if p.optional {
			p.rules, p.allow, p.err = nil, true, nil
			return
		}
		err = fmt.Errorf("there is no %s: %w", p.path, fettle.ErrNotFound)
	}
	if err == nil {
		p.rules, p.allow, err = parsePolicy(raw)
	}
	if p.err = nil; err != nil {
		p.err = fmt.Errorf("policy %s: %w", p.path, err)
	}
}

// policyFile is the file as it is written.
type policyFile struct {
	Default string       `yaml:"default"`
	Rules   []policyRule `yaml:"rules"`
}

type policyRule struct {
	Name  string `yaml:"name"`
	Allow string `yaml:"allow"`
	Deny  string `yaml:"deny"`
}

// parsePolicy reads a policy. The error names every fault.
func parsePolicy(raw []byte) (rules []rule, allow bool, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the reader of YAML is not ours
			rules, err = nil, fmt.Errorf("the YAML cannot be read: %w", fettle.ErrInvalid)
		}
	}()
	var f policyFile
	if err := yaml.UnmarshalWithOptions(raw, &f, yaml.Strict()); err != nil {
		return nil, false, fmt.Errorf("%s: %w", strings.TrimSpace(yaml.FormatError(err, false, false)), fettle.ErrInvalid)
	}
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, fettle.ErrInvalid)...))
	}
	if f.Default != "allow" && f.Default != "deny" {
		bad("default has to be allow or deny: it holds for what no rule decides")
	}
	names := map[string]bool{}
	for i, r := range f.Rules {
		switch {
		case r.Name == "":
			bad("rule %d has no name", i+1)
		case names[r.Name]:
			bad("rule %s is there twice", r.Name)
		}
		names[r.Name] = true
		if (r.Allow == "") == (r.Deny == "") {
			bad("rule %s needs either allow or deny", r.Name)
			continue
		}
		program, err := filter.Compile(filter.NodePolicy, fettle.Filter(r.Allow+r.Deny))
		if err != nil {
			faults = append(faults, fmt.Errorf("rule %s: %w", r.Name, err))
			continue
		}
		rules = append(rules, rule{r.Name, r.Allow != "", program})
	}
	return rules, f.Default == "allow", errors.Join(faults...)
}

// now gives the rules as they are now.
func (p *Policy) now() (rules []rule, allow bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stamp != stampOf([]string{p.path}) {
		if p.read(); p.err != nil {
			p.log.Error("the node's policy cannot be read, everything is refused", "err", p.err)
		} else {
			p.log.Info("the node's policy was read again", "rules", len(p.rules))
		}
	}
	return p.rules, p.allow, p.err
}

// allows tells whether call may be done; the error, which is ErrDenied, says which rule forbids it.
func (p *Policy) allows(ctx context.Context, call Call, node fettle.NodeID, known func() Known) error {
	if p == nil {
		return nil
	}
	rules, allow, err := p.now()
	if err != nil {
		return &denied{fmt.Sprintf("the node's policy cannot be read: %v", err)}
	}
	record, err := policyRecord(call, node, known())
	if err != nil {
		return &denied{fmt.Sprintf("the node's facts cannot be read: %v", err)}
	}
	for _, r := range rules {
		truth, missing := r.program.Match(ctx, record)
		switch {
		case truth == filter.Undefined:
			why := ""
			if len(missing) > 0 {
				why = ": " + missing[0].String()
			}
			return &denied{fmt.Sprintf("the node's policy forbids it: rule %s is undefined%s", r.name, why)}
		case truth == filter.True && r.allow:
			return nil
		case truth == filter.True:
			return &denied{"the node's policy forbids it: rule " + r.name}
		}
	}
	if allow {
		return nil
	}
	return &denied{"the node's policy forbids it: no rule allows it"}
}

// denied is an ErrDenied whose text is for the one who asked.
type denied struct{ text string }

func (d *denied) Error() string { return d.text }

func (d *denied) Unwrap() error { return fettle.ErrDenied }

// policyRecord gives what a rule may look at.
func policyRecord(call Call, node fettle.NodeID, known Known) (*filter.Record, error) {
	r := &filter.Record{
		Identity: node, Classes: known.Classes, Agent: &known.Agent, Now: fettle.MillisOf(time.Now()),
		Vars: map[string]any{"user": map[string]any{"name": call.Caller}, "action": call.Action, "inputs": call.Inputs},
	}
	if known.Facts == nil {
		return r, nil
	}
	doc, err := filter.ParseDocument(known.Facts)
	if err != nil {
		return nil, err
	}
	r.Facts = doc
	return r, nil
}
