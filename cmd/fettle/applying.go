package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/checks/files"
	"github.com/fettle-dev/fettle/server/api/client"
)

// applying brings what the server has in line with files.
type applying struct {
	a            *app
	c            *client.API
	dry, yes     bool
	labels       map[string]string // that all of the files get, and that say what may be pruned; none: nothing is
	there, wants map[string]*object
	changes      int
}

// object is a check or a group, in the files or on the server.
type object struct {
	kind, name string
	place      files.Place // in the files
	uses       []string    // names on which it stands
	labels     map[string]string
	text       string // as the server has it, as a file would; empty: it does not
	rev        int64
	source     string // where it is provisioned

	try  func(ctx context.Context) (text string, err error) // how the server would have it
	save func(ctx context.Context) (rev int64, err error)
	drop func(ctx context.Context) error
}

// apply tries everything first: a half of a file is not applied.
func (p *applying) apply(ctx context.Context, prune bool) error {
	order, err := p.inOrder(p.wants)
	if err != nil {
		return err
	}
	gone, err := p.gone(prune)
	if err != nil {
		return err
	}
	will := map[string]string{}
	var faults []error
	for _, o := range order {
		text, err := o.try(ctx)
		if err != nil {
			faults = append(faults, o.fault(err))
		}
		will[o.name] = text
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if p.dry {
		return p.show(order, gone, will)
	}
	if err := p.agree(ctx, gone); err != nil {
		return err
	}
	for _, o := range order {
		if err := p.save(ctx, o); err != nil {
			return o.fault(err)
		}
	}
	for _, o := range gone {
		if err := o.drop(ctx); err != nil {
			return err
		}
		fmt.Fprintf(p.a.stdout, "%s deleted\n", o.name)
	}
	return nil
}

// fault says where in the files something is wrong, by the key that the server has named.
func (o *object) fault(err error) error {
	key, _, _ := strings.Cut(err.Error(), ": ")
	return fmt.Errorf("%s: %s %s: %w", o.place.At(key), o.kind, o.name, err)
}

func (p *applying) save(ctx context.Context, o *object) error {
	was := int64(0)
	if old := p.there[o.name]; old != nil {
		was = old.rev
	}
	rev, err := o.save(ctx)
	if err != nil {
		return err
	}
	did := "changed"
	switch was {
	case rev:
		did = "unchanged"
	case 0:
		did = "made"
	}
	fmt.Fprintf(p.a.stdout, "%s %s, rev %d\n", o.name, did, rev)
	return nil
}

// inOrder gives objects with those first on which others stand. ErrInvalid: some stand on themselves.
func (p *applying) inOrder(all map[string]*object) (out []*object, err error) {
	uses := func(name string) []string {
		if o := all[name]; o != nil {
			return o.uses
		}
		return nil
	}
	var faults []error
	done := map[string]bool{}
	var visit func(o *object)
	visit = func(o *object) {
		if done[o.name] {
			return
		}
		done[o.name] = true
		for _, name := range o.uses {
			if other := all[name]; other != nil {
				visit(other)
			}
		}
		out = append(out, o)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := checks.FindCycle(name, uses); err != nil {
			faults = append(faults, all[name].fault(err))
		}
		visit(all[name])
	}
	return out, errors.Join(faults...)
}

// gone gives what is to be deleted, those first that stand on others. ErrConflict: something that stays stands on one of them.
func (p *applying) gone(prune bool) ([]*object, error) {
	going := map[string]*object{}
	for name, o := range p.there {
		if prune && p.wants[name] == nil && o.source == "" && bears(o.labels, p.labels) {
			going[name] = o
		}
	}
	var faults []error
	for name, o := range p.there {
		if going[name] != nil {
			continue
		}
		if p.wants[name] != nil {
			o = p.wants[name]
		}
		faults = append(faults, p.held(o, going)...)
	}
	for name, o := range p.wants {
		if p.there[name] == nil {
			faults = append(faults, p.held(o, going)...)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	order, err := p.inOrder(going)
	slices.Reverse(order)
	return order, err
}

// held says what cannot go because o stands on it.
func (p *applying) held(o *object, going map[string]*object) (faults []error) {
	for _, name := range o.uses {
		if g := going[name]; g != nil {
			faults = append(faults, fmt.Errorf("%s %s is in no file and bears the label, but %s %s stands on it: %w", g.kind, name, o.kind, o.name, fettle.ErrConflict))
		}
	}
	return faults
}

// bears tells whether there are all of some labels.
func bears(labels, all map[string]string) bool {
	for key, value := range all {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// agree shows a person what is to be deleted, and asks whether it shall.
func (p *applying) agree(ctx context.Context, gone []*object) error {
	if len(gone) == 0 || p.yes || !p.a.person() {
		return nil
	}
	for _, o := range gone {
		fmt.Fprintf(p.a.stderr, "%s %s would be deleted\n", o.kind, o.name)
	}
	fmt.Fprint(p.a.stderr, "Go ahead? [y/N] ")
	if !p.a.yes(ctx) {
		return &codeError{exitInterrupted, fmt.Errorf("nothing was changed: %w", fettle.ErrConflict)}
	}
	return nil
}

// show prints what would change.
func (p *applying) show(order, gone []*object, will map[string]string) error {
	for _, o := range order {
		was := ""
		if old := p.there[o.name]; old != nil {
			was = old.text
		}
		p.diff(o, was, will[o.name])
	}
	for _, o := range gone {
		p.diff(o, o.text, "")
	}
	if p.changes > 0 {
		return &codeError{code: 1}
	}
	return nil
}

// diff shows how a definition changes, a line for each line.
func (p *applying) diff(o *object, was, is string) {
	if was == is {
		return
	}
	p.changes++
	did := "changed"
	switch {
	case was == "":
		did = "made"
	case is == "":
		did = "deleted"
	}
	fmt.Fprintf(p.a.stdout, "%s %s would be %s\n", o.kind, o.name, did)
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
