package filter

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
)

// literals checks, when a filter is compiled, the constants that a function would refuse on every node. cel-go does so for matches(),
// timestamp(), duration(), ip() and cidr() only.
type literals struct{}

// Name names the check.
func (literals) Name() string { return "fettle.validator.literals" }

// Validate reports the constants that cannot be read.
func (literals) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, iss *cel.Issues) {
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		c := e.AsCall()
		args := c.Args()
		if c.IsMemberFunction() {
			args = append([]ast.Expr{c.Target()}, args...)
		}
		at, check := literalCheck(c.FunctionName())
		if check == nil || at >= len(args) || args[at].Kind() != ast.LiteralKind {
			return
		}
		if s, ok := args[at].AsLiteral().Value().(string); ok {
			if err := check(s); err != nil {
				iss.ReportErrorAtID(args[at].ID(), "invalid %s argument: %s", c.FunctionName(), err)
			}
		}
	}))
}

// literalCheck gives the check of a function's argument, and which argument that is.
func literalCheck(function string) (int, func(string) error) {
	switch function {
	case "glob":
		return 1, func(s string) error { return globCheck([]rune(s)) }
	case "version":
		return 0, func(s string) error {
			_, err := parseVersion(s)
			return trimmed(err, "version: ")
		}
	case "regex.replace", "regex.extract", "regex.extractAll":
		return 1, func(s string) error {
			_, err := regexp.Compile(s)
			return trimmed(err, "error parsing regexp: ")
		}
	}
	return 0, nil
}

// trimmed cuts a prefix that repeats what is said already.
func trimmed(err error, prefix string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), prefix))
}
