package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Bounds of what a judgement says.
const (
	maxLine = 4096 // bytes
	maxPerf = 64   // labels
)

// Outcome is what was asked gave: an action, or, without one, nothing but the node's facts.
type Outcome struct {
	Status  fettle.Status
	Message string
	Data    map[string]any
	Output  *fettle.CheckOutput // of a check command; nil for any other action
}

// Judge says what outcomes mean to one check. It does not change, and is safe for concurrent use.
type Judge struct {
	expression *filter.Program // nil: there is an action
	ruled      bool
	rules      []rule
	status     *filter.Program
	output     *filter.Text
	perf       []perfRule
}

type rule struct {
	when *filter.Program
	code fettle.CheckCode
}

type perfRule struct {
	label string
	value *filter.Program
}

// NewJudge compiles what check says of its outcomes. A fault is ErrInvalid and begins with the key at which it stands.
func NewJudge(check fettle.Check) (*Judge, error) {
	j := &Judge{}
	var err error
	if check.Expression != "" {
		if j.expression, err = filter.CompileColumn(filter.Outcome, check.Expression); err != nil {
			return nil, fmt.Errorf("expression: %w", err)
		}
	}
	r := check.Rules
	if r == nil {
		return j, nil
	}
	for _, one := range []struct {
		key  string
		text fettle.Filter
		code fettle.CheckCode
	}{{"critical", r.Critical, fettle.CodeCritical}, {"warning", r.Warning, fettle.CodeWarning}, {"unknown", r.Unknown, fettle.CodeUnknown}} {
		if one.text == "" {
			continue
		}
		p, err := filter.Compile(filter.Outcome, one.text)
		if err != nil {
			return nil, fmt.Errorf("verdict.%s: %w", one.key, err)
		}
		j.ruled, j.rules = true, append(j.rules, rule{p, one.code})
	}
	if r.Status != "" {
		if j.ruled {
			return nil, &fettle.Fault{Key: "verdict.status", Reason: "it stands in the place of critical, warning and unknown, not beside them"}
		}
		j.ruled = true
		if j.status, err = filter.CompileColumn(filter.Outcome, r.Status); err != nil {
			return nil, fmt.Errorf("verdict.status: %w", err)
		}
	}
	if r.Output != "" {
		if j.output, err = filter.CompileText(filter.Outcome, r.Output); err != nil {
			return nil, fmt.Errorf("verdict.output: %w", err)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(r.Perfdata)) {
		p, err := filter.CompileColumn(filter.Outcome, r.Perfdata[label])
		if err != nil {
			return nil, fmt.Errorf("verdict.perfdata.%s: %w", label, err)
		}
		j.perf = append(j.perf, perfRule{label, p})
	}
	if len(j.perf) > maxPerf {
		return nil, &fettle.Fault{Key: "verdict.perfdata", Reason: fmt.Sprintf("%d labels, and %d are allowed", len(j.perf), maxPerf)}
	}
	return j, nil
}

// Looks tells whether j looks at the node, and not at what a plugin said alone.
func (j *Judge) Looks() bool {
	return j.expression != nil || j.ruled || j.output != nil || len(j.perf) > 0
}

// Judge gives what an outcome on a node means. node is what rules may know of the node, its Vars apart.
func (j *Judge) Judge(ctx context.Context, node filter.Record, o Outcome) fettle.CheckOutput {
	if o.Output != nil && !j.Looks() {
		return *o.Output
	}
	if j.expression == nil && o.Status != fettle.StatusOK {
		return fettle.CheckOutput{Code: StatusOf(fettle.Result{Status: o.Status}).Code(), Line: short(lineOf(fettle.Result{Status: o.Status, Message: o.Message}))}
	}
	node.Vars = map[string]any{"data": plain(o.Data), "status": int64(o.Status), "message": o.Message}
	if o.Data == nil {
		node.Vars["data"] = map[string]any{}
	}
	out := fettle.CheckOutput{Line: o.Message}
	if o.Output != nil {
		out.Line, out.Long, out.Perfdata = o.Output.Line, o.Output.Long, o.Output.Perfdata
	}
	if j.expression != nil {
		value, missing, ok := j.expression.Value(ctx, &node)
		if !ok {
			return undefinedHere(string(j.expression.Text()), missing)
		}
		node.Vars["value"] = value
		out.Line = filter.TextOf(value)
	}
	code, bad := j.code(ctx, &node)
	if bad != nil {
		return *bad
	}
	out.Code = code
	for _, p := range j.perf {
		out.Perfdata = append(out.Perfdata, perfOf(ctx, p, &node))
	}
	if j.output != nil {
		line, err := j.output.Fill(ctx, &node)
		if err != nil { // what it means is known all the same
			line = strings.TrimSpace(out.Line + " (" + err.Error() + ")")
		}
		out.Line = line
	}
	out.Line = short(out.Line)
	return out
}

// code gives the status that the rules say, or the answer that none can be said.
func (j *Judge) code(ctx context.Context, node *filter.Record) (fettle.CheckCode, *fettle.CheckOutput) {
	for _, r := range j.rules {
		truth, missing := r.when.Match(ctx, node)
		switch truth {
		case filter.True:
			return r.code, nil
		case filter.Undefined:
			out := undefinedHere(string(r.when.Text()), missing)
			return 0, &out
		}
	}
	value, text := node.Vars["value"], ""
	switch {
	case j.status != nil:
		v, missing, ok := j.status.Value(ctx, node)
		if !ok {
			out := undefinedHere(string(j.status.Text()), missing)
			return 0, &out
		}
		value, text = v, string(j.status.Text())
	case j.ruled || j.expression == nil:
		return fettle.CodeOK, nil
	default:
		text = string(j.expression.Text())
	}
	code, ok := codeOf(value)
	if !ok {
		return 0, &fettle.CheckOutput{Code: fettle.CodeUnknown, Line: short(fmt.Sprintf("%s gives %s, which is neither true nor false, nor a status", text, filter.TextOf(value)))}
	}
	return code, nil
}

// codeOf gives the status that a value stands for.
func codeOf(value any) (fettle.CheckCode, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return fettle.CodeOK, true
		}
		return fettle.CodeCritical, true
	case int64:
		return fettle.CheckCode(v), v >= 0 && v <= int64(fettle.CodeUnknown)
	case string:
		s := fettle.CheckStatus(strings.ToLower(v))
		switch s {
		case fettle.CheckOK, fettle.CheckWarning, fettle.CheckCritical, fettle.CheckUnknown:
			return s.Code(), true
		}
	}
	return 0, false
}

func perfOf(ctx context.Context, p perfRule, node *filter.Record) fettle.Perf {
	out := fettle.Perf{Label: p.label}
	v, _, _ := p.value.Value(ctx, node)
	switch v := v.(type) {
	case int64:
		out.Value = new(float64(v))
	case float64:
		out.Value = &v
	}
	return out
}

func undefinedHere(text string, missing []filter.Missing) fettle.CheckOutput {
	why := ""
	if len(missing) > 0 {
		why = ": " + missing[0].String()
	}
	return fettle.CheckOutput{Code: fettle.CodeUnknown, Line: short(text + " is undefined" + why)}
}

// short gives one line of text, cut to what a state keeps.
func short(line string) string {
	line = strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if len(line) > maxLine {
		line = strings.ToValidUTF8(line[:maxLine], "") + "…"
	}
	return line
}

// plain gives data as CEL knows values: numbers that were kept as they were written become numbers.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, one := range v {
			out[key] = plain(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = plain(one)
		}
		return out
	case int:
		return int64(v)
	}
	return v
}
