package filter

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"github.com/fettle-dev/fettle"
)

// Compile checks text, which is CEL, and makes a program of it. A fault is an *Error, which wraps fettle.ErrInvalid; so is an empty text, which
// never means "everything". Compile is safe for concurrent use, and what it returns is too.
func Compile(env Environment, text fettle.Filter) (*Program, error) {
	p, err := compile(env, string(text))
	if err != nil {
		return nil, err
	}
	if err := p.wantBool(); err != nil {
		return nil, err
	}
	return p, nil
}

// CompileColumn is Compile for an expression of any type, such as a column of a listing: facts.memory.system.total_bytes / 1073741824.
func CompileColumn(env Environment, text fettle.Filter) (*Program, error) {
	return compile(env, string(text))
}

// compile does the work of both. cel-go has panicked on odd input before; a panic costs that filter only.
func compile(env Environment, text string) (p *Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, &Error{Message: fmt.Sprintf("the filter cannot be compiled: %v", r)}
		}
	}()
	if err := checkText(text); err != nil {
		return nil, err
	}
	e, err := env.language()
	if err != nil {
		return nil, err
	}
	checked, iss := e.Parse(text)
	if iss.Err() == nil {
		if env == Tally || env == Gate {
			countInDoubles(checked.NativeRep().Expr())
		}
		checked, iss = e.Check(checked)
	}
	if iss.Err() != nil {
		return nil, explainIssues(env, e, text, iss)
	}
	p = &Program{environment: env, text: fettle.Filter(text), env: e, ast: checked}
	if err := p.estimate(); err != nil {
		return nil, err
	}
	p.reads = readsOf(checked.NativeRep().Expr())
	if p.tree, err = p.newTree(checked.NativeRep().Expr()); err != nil {
		return nil, err
	}
	return p, nil
}

// countInDoubles makes doubles of the whole numbers that are written in e. CEL multiplies no int with a double, and where counts are compared with
// parts of counts, critical > 0.1 * total and critical * 10 > total are both what people write.
func countInDoubles(e ast.Expr) {
	factory := ast.NewExprFactory()
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		if n, is := e.AsLiteral().(types.Int); is {
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(n)))
		}
	}))
}

// checkText refuses what need not be parsed.
func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return &Error{Message: "an empty filter does not mean every node", Suggestion: "every node is --all"}
	}
	if len(text) > MaxText {
		return &Error{Message: fmt.Sprintf("the filter has %d bytes, and %d are allowed", len(text), MaxText)}
	}
	return nil
}

// wantBool refuses an expression that cannot be true or false. One of unknown type may be compiled: it is undefined where it is not a bool.
func (p *Program) wantBool() error {
	t := p.ast.OutputType()
	if t.IsExactType(cel.BoolType) || t.IsExactType(cel.DynType) {
		return nil
	}
	e := errorAt(string(p.text), 0, "a filter is true or false, and this is %s", typeWord(t))
	if t.IsExactType(cel.StringType) {
		e.Suggestion = "compare it with something, as in identity == \"web1\""
	}
	return e
}

// estimate refuses an expression that may cost too much, by cel-go's estimate over documents of a likely size.
func (p *Program) estimate() error {
	est, err := p.env.EstimateCost(p.ast, sizes{})
	if err != nil {
		return fmt.Errorf("estimate the cost of a filter: %w", err)
	}
	if p.cost = est.Max; p.cost > maxEstimate {
		return &Error{Message: fmt.Sprintf("the filter may cost %d units a node, and %d are allowed", p.cost, uint64(maxEstimate))}
	}
	return nil
}

// sizes tells cel-go how large things are likely to be; evaluation is bounded by what they are.
type sizes struct{}

// EstimateSize gives the likely size of a fact.
func (sizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: 256}
}

// EstimateCallCost leaves it to cel-go.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
