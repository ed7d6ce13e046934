package filter

import (
	"context"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/fettle-dev/fettle"
)

// boardName is the name under which a gate has the verdicts. People write verdict(check) and tally(check), which stand for a look into it.
const boardName = "verdicts"

var gateNames = []cel.EnvOption{
	cel.Variable(boardName, cel.MapType(cel.StringType, cel.MapType(cel.StringType, mapOfAny))),
	cel.Variable("now", cel.TimestampType),
	cel.Macros(append(cel.StandardMacros,
		cel.GlobalMacro("verdict", 1, lookUp("status", true)), cel.GlobalMacro("verdict", 2, lookUp("status", true)),
		cel.GlobalMacro("tally", 1, lookUp("tally", false)), cel.GlobalMacro("tally", 2, lookUp("tally", false)))...),
}

// lookUp writes verdict(check, filter) as string(verdicts[check][filter].status), and tally(check) as verdicts[check][""].tally.
func lookUp(field string, text bool) cel.MacroFactory {
	return func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		where := f.NewLiteral(types.String(""))
		if len(args) == 2 {
			where = args[1]
		}
		e := f.NewSelect(f.NewCall(operators.Index, f.NewCall(operators.Index, f.NewIdent(boardName), args[0]), where), field)
		if text {
			return f.NewCall("string", e), nil
		}
		return e, nil
	}
}

// Verdicts gives the verdict of a check over the nodes of a filter, the empty filter being the check's own nodes.
type Verdicts func(ctx context.Context, check string, where fettle.Filter) (fettle.Verdict, error)

// Open tells whether a gate is: a program of the Gate environment. Undefined does not pass, and why says what was missing; err is the first fault of
// verdicts, which makes the gate undefined where it decides.
func (p *Program) Open(ctx context.Context, now fettle.Millis, verdicts Verdicts) (truth Truth, why string, err error) {
	b := &gateBoard{ctx: ctx, ask: verdicts, known: map[[2]string]Object{}} //nolint:containedctx // it lives as long as this call
	names := &Record{Now: now, Vars: map[string]any{boardName: b}}
	truth, missing := p.Match(ctx, names)
	switch {
	case truth != Undefined:
		return truth, "", b.fault
	case b.fault != nil:
		return truth, b.fault.Error(), b.fault
	case len(missing) > 0:
		return truth, missing[0].String(), nil
	}
	return truth, "it is undefined", nil
}

// gateBoard is the verdicts by check, and below that by filter. Each is asked for once.
type gateBoard struct {
	ctx   context.Context
	ask   Verdicts
	known map[[2]string]Object
	fault error
}

func (b *gateBoard) Len() int                     { return 0 }
func (b *gateBoard) Keys() []string               { return nil }
func (b *gateBoard) Get(check string) (any, bool) { return &gateCheck{b, check}, true }

// gateCheck is the verdicts of one check, by filter.
type gateCheck struct {
	board *gateBoard
	check string
}

func (c *gateCheck) Len() int       { return 0 }
func (c *gateCheck) Keys() []string { return nil }

// Get asks for the verdict over a filter.
func (c *gateCheck) Get(where string) (any, bool) {
	key := [2]string{c.check, where}
	if v, known := c.board.known[key]; known {
		return v, v != nil
	}
	v, err := c.board.ask(c.board.ctx, c.check, fettle.Filter(where))
	if err != nil {
		if c.board.fault == nil {
			c.board.fault = fmt.Errorf("verdict of %s: %w", c.check, err)
		}
		c.board.known[key] = nil
		return nil, false
	}
	y := v.Tally
	c.board.known[key] = Map{"status": string(v.Status), "tally": Map{
		"total": float64(y.Total), "ok": float64(y.OK), "warning": float64(y.Warning), "critical": float64(y.Critical), "unknown": float64(y.Unknown),
		"silent": float64(y.Silent), "stale": float64(y.Stale), "undefined": float64(y.Undefined),
	}}
	return c.board.known[key], true
}
