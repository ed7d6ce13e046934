package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// folded are names as this program, clush and nodeset fold them: web[01-16,18]. A class of a glob has neither commas nor numbers of several digits
// around its dash, so what is one stays one: web[12], web[a-c].
var folded = regexp.MustCompile(`,|\[\d*(\d\d-\d|\d-\d\d)\d*\]`)

// unfoldedNames gives words of -I with what is folded taken apart. Globs and regular expressions stay as they are.
func unfoldedNames(words []string) ([]string, error) {
	var out []string
	for _, word := range words {
		if strings.HasPrefix(word, "/") || strings.ContainsAny(word, "*?") || !folded.MatchString(word) {
			out = append(out, word)
			continue
		}
		names, err := nagios.Unfold(strings.ToLower(word))
		if err != nil {
			return nil, fmt.Errorf("-I %s: %w", word, err)
		}
		for _, name := range names {
			out = append(out, string(name))
		}
	}
	return out, nil
}

// named gives the nodes that are chosen by their names alone; nil: something else chooses, too.
func (m *aim) named() []fettle.NodeID {
	if m.all || m.roster != "" || len(m.short)+len(m.cel)+len(m.facts)+len(m.classes) > 0 {
		return nil
	}
	words, err := unfoldedNames(m.identities)
	if err != nil {
		return nil
	}
	var out []fettle.NodeID
	for _, word := range words {
		id, err := fettle.ParseNodeID(word)
		if err != nil { // a glob, or a regular expression
			return nil
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unknownNames gives the names that were given and belong to no node: a roster does not have them, and nobody would miss them.
func unknownNames(ctx context.Context, c *client.API, named []fettle.NodeID, roster int) ([]fettle.NodeID, error) {
	if len(named) <= roster {
		return nil, nil
	}
	terms := aim{}
	for _, id := range named {
		terms.identities = append(terms.identities, string(id))
	}
	where, err := terms.filter(ctx, nil, true)
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, c, question{where: where})
	if err != nil {
		return nil, err
	}
	known := map[fettle.NodeID]bool{}
	for _, n := range found.Nodes {
		known[n.Identity] = true
	}
	return slices.DeleteFunc(named, func(id fettle.NodeID) bool { return known[id] }), nil
}
