package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks/files"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) checksApplyCommand() *cobra.Command {
	var from string
	var prune, dry bool
	cmd := &cobra.Command{
		Use: "apply -f FILE|DIR", Short: "make checks as files have them", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Reads a YAML file, "-" for stdin, or all *.yaml and *.yml below a folder: documents of one check each, or lists. Every fault of all files is told at once,
by file, line and key, and then nothing is applied. What is there already and the same keeps its rev. --prune deletes the checks that the files do not
have, but for those that the server's own configuration defines. --dry-run shows the changes as a diff; exit code 1 says that there are some.

  name: disk
  nrpe: check_disk
  filter: environment=production
  interval: 5m
  attempts: 3
  runbook: https://wiki.acme.net/disk`,
		Example: "  fettle checks apply -f disk.yaml\n  fettle checks apply -f checks/ --prune --dry-run",
	}
	cmd.Flags().StringVarP(&from, "file", "f", "", "`FILE` or folder with the definitions")
	cmd.Flags().BoolVar(&prune, "prune", false, "delete checks that the files do not have")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would change")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if from == "" {
			return usage(fmt.Errorf("-f is wanted, a file or a folder: %w", fettle.ErrInvalid))
		}
		defs, err := a.readChecks(from)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := c.Checks(cmd.Context())
		if err != nil {
			return err
		}
		p := applying{a: a, c: c, dry: dry, kept: map[string]fettle.KeptCheck{}}
		for _, k := range list {
			p.kept[k.Name] = k
		}
		return p.apply(cmd.Context(), defs, prune)
	}
	return cmd
}

// readChecks reads all definitions of a file, or below a folder.
func (a *app) readChecks(from string) (defs []files.Definition, err error) {
	if from == "-" {
		raw, err := io.ReadAll(io.LimitReader(a.stdin, files.MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		return files.Read("stdin", raw)
	}
	var names []string
	err = filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		ext := filepath.Ext(name)
		if err == nil && !d.IsDir() && (name == from || ext == ".yaml" || ext == ".yml") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: there are no *.yaml files in it: %w", from, fettle.ErrInvalid)
	}
	var faults []error
	seen := map[string]files.Definition{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list, err := files.Read(name, raw)
		faults = append(faults, err)
		for _, d := range list {
			if other, twice := seen[d.Name]; twice && other.File != d.File {
				faults = append(faults, fmt.Errorf("%s:%d: name: %s is there already, in %s:%d: %w", d.File, d.Line, d.Name, other.File, other.Line, fettle.ErrInvalid))
			}
			seen[d.Name] = d
		}
		defs = append(defs, list...)
	}
	return defs, errors.Join(faults...)
}

// applying brings what the server has in line with files.
type applying struct {
	a       *app
	c       *client.API
	dry     bool
	kept    map[string]fettle.KeptCheck
	changes int
}

func (p *applying) apply(ctx context.Context, defs []files.Definition, prune bool) error {
	var faults []error
	for _, d := range p.inOrder(defs) { // first all are tried: a half of a file is not applied
		if _, err := p.c.SaveCheck(ctx, d.CheckDefinition, 0, true); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: check %s: %w", d.File, d.Line, d.Name, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	for _, d := range p.inOrder(defs) {
		if err := p.one(ctx, d); err != nil {
			return fmt.Errorf("%s:%d: check %s: %w", d.File, d.Line, d.Name, err)
		}
	}
	if prune {
		if err := p.prune(ctx, defs); err != nil {
			return err
		}
	}
	if p.dry && p.changes > 0 {
		return &codeError{code: 1}
	}
	return nil
}

// inOrder gives definitions with those first that others depend on.
func (p *applying) inOrder(defs []files.Definition) []files.Definition {
	out := slices.Clone(defs)
	slices.SortStableFunc(out, func(a, b files.Definition) int {
		switch {
		case slices.Contains(b.DependsOn, a.Name):
			return -1
		case slices.Contains(a.DependsOn, b.Name):
			return 1
		}
		return 0
	})
	return out
}

func (p *applying) one(ctx context.Context, d files.Definition) error {
	old, known := p.kept[d.Name]
	if p.dry {
		was := ""
		if known {
			if d.Owner == "" {
				d.Owner = old.Owner
			}
			was = mustWritten(old.CheckDefinition)
		}
		p.diff(d.Name, was, mustWritten(d.CheckDefinition))
		return nil
	}
	saved, err := p.c.SaveCheck(ctx, d.CheckDefinition, 0, false)
	switch {
	case err != nil:
		return err
	case saved.Rev == old.Rev:
		fmt.Fprintf(p.a.stdout, "%s unchanged, rev %d\n", saved.Name, saved.Rev)
	case known:
		fmt.Fprintf(p.a.stdout, "%s changed, rev %d\n", saved.Name, saved.Rev)
	default:
		fmt.Fprintf(p.a.stdout, "%s made, rev %d\n", saved.Name, saved.Rev)
	}
	return nil
}

// prune deletes what the files do not have, those first that depend on others.
func (p *applying) prune(ctx context.Context, defs []files.Definition) error {
	var gone []files.Definition
	for name, k := range p.kept {
		if k.Source == "" && !slices.ContainsFunc(defs, func(d files.Definition) bool { return d.Name == name }) {
			gone = append(gone, files.Definition{CheckDefinition: k.CheckDefinition})
		}
	}
	slices.SortFunc(gone, func(a, b files.Definition) int { return strings.Compare(a.Name, b.Name) })
	gone = p.inOrder(gone)
	slices.Reverse(gone)
	for _, d := range gone {
		if p.dry {
			p.diff(d.Name, mustWritten(d.CheckDefinition), "")
			continue
		}
		if err := p.c.DeleteCheck(ctx, d.Name); err != nil {
			return err
		}
		fmt.Fprintf(p.a.stdout, "%s deleted\n", d.Name)
	}
	return nil
}

func mustWritten(d fettle.CheckDefinition) string {
	text, err := files.Write(d)
	if err != nil {
		return err.Error() + "\n"
	}
	return text
}

// diff shows how a definition changes, a line for each line.
func (p *applying) diff(name, was, is string) {
	if was == is {
		return
	}
	p.changes++
	fmt.Fprintf(p.a.stdout, "check %s\n", name)
	before, after := lines(was), lines(is)
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) > 0 && len(after) > 0 && before[0] == after[0]:
			fmt.Fprintf(p.a.stdout, "  %s\n", clean(before[0]))
			before, after = before[1:], after[1:]
		case len(before) > 0 && !slices.Contains(after, before[0]):
			fmt.Fprintf(p.a.stdout, "- %s\n", clean(before[0]))
			before = before[1:]
		case len(after) > 0:
			fmt.Fprintf(p.a.stdout, "+ %s\n", clean(after[0]))
			after = after[1:]
		default:
			fmt.Fprintf(p.a.stdout, "- %s\n", clean(before[0]))
			before = before[1:]
		}
	}
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
