package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"

	fettle "github.com/fettle-dev/fettle"
)

// facterPaths are where facter is looked for besides PATH: where Puppet's own packages put it.
var facterPaths = []string{"facter", "/opt/puppetlabs/bin/facter"}

// errNoFacts: facter has ended well, and said nothing.
var errNoFacts = fmt.Errorf("no facts: %w", fettle.ErrUnavailable)

// facter adds what facter knows and the document lacks.
func (c *Collector) facter(ctx context.Context, doc *document) {
	facts, err := c.runFacter(ctx)
	if err != nil {
		doc.fail("facter", err)
		return
	}
	doc.under("facter", facts)
}

func (c *Collector) runFacter(ctx context.Context) (object, error) {
	var path string
	var err error
	for _, name := range facterPaths {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("facter is wanted, and not installed: %w", err)
	}
	raw, err := run(ctx, []string{path, "--json"}, c.cfg.FacterTimeout)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	facts, faulty := parseJSON(raw)
	if faulty == nil && len(facts) > 0 { // facter ends with 1 where a single fact of many could not be told
		return facts, nil
	}
	return nil, cmp.Or(err, faulty, errNoFacts)
}
