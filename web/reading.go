package web

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// reading is how the text in the filter box was understood.
type reading struct {
	Text  string        // as it was typed
	CEL   fettle.Filter // what was asked; empty: all nodes
	Short bool          // Text is the short form, and CEL its translation
	AsOf  fettle.Millis // the moment that is asked about; zero: now
}

// selection gives the nodes that are meant. An empty box is a table of all nodes: nothing is done to them.
func (r reading) selection() server.Selection {
	if r.CEL == "" {
		return server.Selection{All: true, AsOf: r.AsOf}
	}
	return server.Selection{Where: r.CEL, AsOf: r.AsOf}
}

// celSigns are what stands in CEL and hardly ever in the short form: a text with one of them that is not CEL is CEL with a fault.
var celSigns = regexp.MustCompile(`==|&&|\|\||^!|\bfacts[.\[]|\bhas\(|\)\s*$|\b(?:identity|liveness|seen|enrolled)\s*(?:[!<>=]=|\.)|\bin\s+(?:classes|pools|\[)|\.\?`)

// read asks with the text of r, as CEL if it can be that and else as the short form. A fault is that of the form which was meant.
func read(r reading, ask func(reading) error) (reading, error) {
	r.CEL = fettle.Filter(r.Text)
	err := ask(r)
	if r.Text == "" || !isFault(err) || celSigns.MatchString(r.Text) {
		return r, err
	}
	cel, err := server.ShortForm(r.Text)
	if err != nil {
		return r, err
	}
	r.CEL, r.Short = cel, true
	return r, ask(r)
}

// find asks which nodes text means.
func (s *site) find(ctx context.Context, text string, q server.FindQuery) (reading, server.FindAnswer, error) {
	var found server.FindAnswer
	r, err := read(reading{Text: text, AsOf: q.AsOf}, func(r reading) (err error) {
		q.Selection = r.selection()
		found, err = s.fleet.Find(ctx, q)
		return err
	})
	return r, found, err
}

// isFault tells whether err is a fault in a filter.
func isFault(err error) bool {
	var fault *server.FilterError
	return errors.As(err, &fault)
}

// oneWord is what a person types who knows the name of a node, or a part of it.
var oneWord = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// byName is for who typed a node's name: in the short form a bare word is a class. Where no node has that class, but some have the word in
// their name, it gives the way to those.
func (s *site) byName(ctx context.Context, r reading, matched int, q question) *link {
	word := strings.ToLower(r.Text)
	if !r.Short || matched > 0 || !oneWord.MatchString(word) {
		return nil
	}
	where := "identity.contains(" + quoteCEL(word) + ")"
	found, err := s.fleet.Find(ctx, server.FindQuery{Selection: server.Selection{Where: fettle.Filter(where), AsOf: r.AsOf}, CountOnly: true})
	if err != nil || found.Matched == 0 {
		return nil
	}
	return &link{Label: where, URL: q.where(where).URL(), Note: fmt.Sprintf("No node has the class %s; it stands in the name of %s:", r.Text, nodes(found.Matched))}
}

// nodes counts nodes in words.
func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return thousands(n) + " nodes"
}

// fault is what is wrong with a filter, as a person sees it.
type fault struct {
	Message    string
	Suggestion string
	Line       int // from 1; zero: the fault stands nowhere in particular
	Column     int // in characters, from 1
	// The line at fault, or what is near the place: what stands before it, the character there, and what comes behind.
	Before, At, After string
}

// nearFault is the number of characters that are shown on either side of a fault.
const nearFault = 160

// faultOf gives the fault of err.
func faultOf(err error) *fault {
	var e *server.FilterError
	if !errors.As(err, &e) {
		return &fault{Message: said(err)}
	}
	f := &fault{Message: e.Message, Suggestion: e.Suggestion, Line: e.Line, Column: e.Column, At: " "}
	line := []rune(e.Text)
	at := max(0, min(e.Column-1, len(line)))
	f.Before = string(line[max(0, at-nearFault):at])
	if at < len(line) {
		f.At, f.After = string(line[at]), string(line[at+1:min(len(line), at+1+nearFault)])
	}
	return f
}
