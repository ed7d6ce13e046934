package facts

import (
	"context"
	"fmt"
	"os/exec"
)

// facterPaths are where facter is looked for besides PATH: where Puppet's own packages put it.
var facterPaths = []string{"facter", "/opt/puppetlabs/bin/facter"}

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
	if err != nil {
		return nil, err
	}
	return parseJSON(raw)
}
