package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/checks/files"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) checksApplyCommand() *cobra.Command {
	var from string
	var labels []string
	var prune bool
	p := &applying{a: a}
	cmd := &cobra.Command{
		Use: "apply -f FILE|DIR", Short: "make checks and groups as files have them", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Reads a YAML file, "-" for stdin, or all *.yaml and *.yml below a folder: documents of one check or group each (kind: check, which may be left out, or
kind: group), or lists. Every fault of all files is told at once, by file, line and key, and then nothing is applied. What is there already and the same keeps its
rev. In which order they stand does not matter.

--dry-run shows as a diff what would be made, changed and deleted; exit code 1 says that there is something. --label is written onto all that the files have;
--prune deletes what bears the same labels and is in the files no more, and nothing else: each team, and each repository, prunes its own. A person at a
terminal is asked before something is deleted. What the server's own configuration defines is never touched.

  name: disk
  nrpe: check_disk
  filter: environment=production
  interval: 5m
  attempts: 3
  runbook: https://wiki.acme.net/disk
  ---
  kind: group
  name: shop
  fold: at_least
  at_least: 2
  by: facts.customer
  members:
    - check: disk
    - check: load
      filter: facts.role == "db"
      rule: {min_ok: "2"}
    - group: payments`,
		Example: "  fettle checks apply -f disk.yaml\n  fettle checks apply -f checks/ --label team=web --prune --dry-run\n  fettle checks apply -f checks/ --label team=web --prune",
	}
	cmd.Flags().StringVarP(&from, "file", "f", "", "`FILE` or folder with the definitions")
	cmd.Flags().BoolVar(&prune, "prune", false, "delete what bears the labels of --label and is not in the files")
	cmd.Flags().StringSliceVar(&labels, "label", nil, "`KEY=VALUE` that everything in the files gets; several")
	cmd.Flags().BoolVar(&p.dry, "dry-run", false, "only show what would change")
	cmd.Flags().BoolVarP(&p.yes, "yes", "y", false, "do not ask before something is deleted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if p.labels, err = readLabels(labels); err != nil {
			return usage(err)
		}
		switch {
		case from == "":
			return usage(fmt.Errorf("-f is wanted, a file or a folder: %w", fettle.ErrInvalid))
		case prune && len(p.labels) == 0:
			return usage(fmt.Errorf("--prune wants --label KEY=VALUE, which says whose: what bears it and is not in the files is deleted; checks of others stay: %w", fettle.ErrInvalid))
		}
		set, err := a.readDefinitions(from)
		if err != nil {
			return err
		}
		if p.c, err = a.client(); err != nil {
			return err
		}
		if err := p.look(cmd.Context()); err != nil {
			return err
		}
		if err := p.want(set); err != nil {
			return err
		}
		return p.apply(cmd.Context(), prune)
	}
	return cmd
}

// readLabels reads labels of the command line.
func readLabels(texts []string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range texts {
		key, value, is := strings.Cut(text, "=")
		if !is || key == "" || value == "" {
			return nil, fmt.Errorf("--label %s: it is KEY=VALUE, such as team=web: %w", text, fettle.ErrInvalid)
		}
		out[key] = value
	}
	return out, checks.CheckPeople("", "", out)
}

// readDefinitions reads all definitions of a file, or below a folder.
func (a *app) readDefinitions(from string) (set files.Set, err error) {
	if from == "-" {
		raw, err := io.ReadAll(io.LimitReader(a.stdin, files.MaxBytes+1))
		if err != nil {
			return set, fmt.Errorf("stdin: %w", err)
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
		return set, fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	if len(names) == 0 {
		return set, fmt.Errorf("%s: there are no *.yaml files in it: %w", from, fettle.ErrInvalid)
	}
	var faults []error
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return set, err
		}
		one, err := files.Read(name, raw)
		faults = append(faults, err)
		set.Checks = append(set.Checks, one.Checks...)
		set.Groups = append(set.Groups, one.Groups...)
	}
	return set, errors.Join(append(faults, twice(set)...)...)
}

// twice tells of names that are in several files.
func twice(set files.Set) (faults []error) {
	seen := map[string]files.Place{}
	look := func(name string, at files.Place) {
		if other, is := seen[name]; is && other.File != at.File {
			faults = append(faults, fmt.Errorf("%s: name: %s is there already, in %s: %w", at.At("name"), name, other.At(""), fettle.ErrInvalid))
		}
		seen[name] = at
	}
	for _, d := range set.Checks {
		look(d.Name, d.Place)
	}
	for _, g := range set.Groups {
		look(g.Name, g.Place)
	}
	return faults
}

// look sees what the server has.
func (p *applying) look(ctx context.Context) error {
	list, err := p.c.Checks(ctx)
	if err != nil {
		return err
	}
	groups, err := p.c.Groups(ctx)
	if err != nil {
		return err
	}
	p.there = map[string]*object{}
	for _, k := range list {
		text, err := files.Write(k.CheckDefinition)
		if err != nil {
			return err
		}
		p.there[k.Name] = &object{
			kind: "check", name: k.Name, uses: k.DependsOn, labels: k.Labels, text: text, rev: k.Rev, source: k.Source,
			drop: func(ctx context.Context) error { return p.c.DeleteCheck(ctx, k.Name) },
		}
	}
	for _, info := range groups {
		g, text, err := writtenGroup(info)
		if err != nil {
			return err
		}
		p.there[g.Name] = &object{
			kind: "group", name: g.Name, uses: checks.Uses(g.Members, nil), labels: g.Labels, text: text, rev: g.Rev,
			drop: func(ctx context.Context) error { return p.c.DeleteGroup(ctx, g.Name) },
		}
	}
	return nil
}

// want takes what the files have.
func (p *applying) want(set files.Set) error {
	p.wants = map[string]*object{}
	var faults []error
	stamp := func(kind, name string, at files.Place, own map[string]string) map[string]string {
		out := maps.Clone(own)
		for key, value := range p.labels {
			if was, has := own[key]; has && was != value {
				faults = append(faults, fmt.Errorf("%s: %s %s: labels.%s: it is %q here, and %q by --label: %w", at.At("labels."+key), kind, name, key, was, value, fettle.ErrInvalid))
			}
			if out == nil {
				out = map[string]string{}
			}
			out[key] = value
		}
		return out
	}
	for _, d := range set.Checks {
		d.Labels = stamp("check", d.Name, d.Place, d.Labels)
		p.wants[d.Name] = p.wantedCheck(d)
	}
	for _, g := range set.Groups {
		g.Labels = stamp("group", g.Name, g.Place, g.Labels)
		p.wants[g.Name] = p.wantedGroup(g)
	}
	return errors.Join(faults...)
}

func (p *applying) wantedCheck(d files.Definition) *object {
	return &object{
		kind: "check", name: d.Name, place: d.Place, uses: d.DependsOn,
		try: func(ctx context.Context) (string, error) {
			kept, err := p.c.TryCheck(ctx, d.CheckDefinition, p.coming(d.DependsOn))
			if err != nil {
				return "", err
			}
			return files.Write(kept.CheckDefinition)
		},
		save: func(ctx context.Context) (int64, error) {
			kept, err := p.c.SaveCheck(ctx, d.CheckDefinition)
			if err != nil {
				return 0, err
			}
			return kept.Rev, nil
		},
	}
}

// coming gives those of some names that are not there yet, and will be.
func (p *applying) coming(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return p.wants[name] == nil || p.there[name] != nil })
}

func (p *applying) wantedGroup(g files.Group) *object {
	o := &object{kind: "group", name: g.Name, place: g.Place, uses: checks.Uses(g.Members, nil)}
	body, err := groupBody(g.Group)
	o.try = func(ctx context.Context) (string, error) {
		if err != nil {
			return "", err
		}
		info, err := p.c.TryGroup(ctx, g.Name, body, p.coming(o.uses))
		if err != nil {
			return "", err
		}
		_, text, err := writtenGroup(*info)
		return text, err
	}
	o.save = func(ctx context.Context) (int64, error) {
		info, err := p.c.SaveGroup(ctx, g.Name, body)
		if err != nil || info.Rev == nil {
			return 0, err
		}
		return *info.Rev, nil
	}
	return o
}

// groupBody gives a group as REST takes it: the keys are the same.
func groupBody(g fettle.Group) (body client.GroupBody, err error) {
	raw, err := json.Marshal(g)
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	return body, err
}

// writtenGroup gives a group, and its text as a file has it.
func writtenGroup(info client.GroupInfo) (g fettle.Group, text string, err error) {
	rev := info.Rev
	raw, err := json.Marshal(info)
	var keys map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &keys)
	}
	for _, own := range []string{"rev", "updated", "updated_by"} {
		delete(keys, own)
	}
	if err == nil {
		raw, err = json.Marshal(keys)
	}
	if err == nil {
		err = json.Unmarshal(raw, &g)
	}
	if err != nil {
		return g, "", err
	}
	text, err = files.WriteGroup(g)
	if rev != nil {
		g.Rev = *rev
	}
	return g, text, err
}
