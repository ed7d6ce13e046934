package main

import (
	"context"
	"encoding/json"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/server/api/client"
)

// sieve lets results through for which an expression is true: identity, status, message, data.
type sieve struct {
	program   *filter.Program
	undefined int // results of which it is neither true nor false
	all, let  int
}

// newSieve compiles what --filter-results says; nil: it says nothing.
func newSieve(text string) (*sieve, error) {
	if text == "" {
		return nil, nil
	}
	p, err := filter.Compile(filter.Outcome, fettle.Filter(text))
	if err != nil {
		return nil, usage(fmt.Errorf("--filter-results: %w", err))
	}
	return &sieve{program: p}, nil
}

// lets tells whether a result is to be shown. A nil sieve lets all through.
func (s *sieve) lets(ctx context.Context, res client.ResultItem) bool {
	if s == nil {
		return true
	}
	s.all++
	data, _ := plainData(dataOf(res)).(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	record := filter.Record{Identity: res.Node, Vars: map[string]any{"data": data, "status": int64(res.Status), "message": res.Message}}
	truth, _ := s.program.Match(ctx, &record)
	switch truth {
	case filter.True:
		s.let++
		return true
	case filter.Undefined:
		s.undefined++
	}
	return false
}

// sift gives the results that are to be shown.
func (s *sieve) sift(ctx context.Context, results []client.ResultItem) []client.ResultItem {
	if s == nil {
		return results
	}
	s.all, s.let, s.undefined = 0, 0, 0 // a stream may have counted them already
	out := []client.ResultItem{}
	for _, res := range results {
		if s.lets(ctx, res) {
			out = append(out, res)
		}
	}
	return out
}

// String says how much was let through.
func (s *sieve) String() string {
	text := fmt.Sprintf("shown: %d of %d results", s.let, s.all)
	if s.undefined > 0 {
		text += fmt.Sprintf("; of %d it cannot be said whether they are meant", s.undefined)
	}
	return text
}

// plainData gives numbers as expressions know them.
func plainData(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainData(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainData(v[key])
		}
	}
	return value
}
