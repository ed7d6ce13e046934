package filter

import (
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
)

// Environment says where a filter is evaluated, and so which names it may use.
type Environment int

// The environments.
const (
	// Node is the server's view of one node: every name there is.
	Node Environment = iota
	// OnNode is a node's view of itself: no pools, labels, liveness, seen, enrolled, which only the server knows.
	OnNode
	// Policy is the server's view of one node, and of who asks what of it: user, action, inputs.
	Policy
	// Tally is a check's counts: total ok warning critical unknown silent stale undefined silenced shadowed flapping.
	Tally
	// Condition is a composition's view of itself: context, inputs, steps.
	Condition
	// NodePolicy is a node's view of itself, and of who asks what of it: what OnNode has, and user, action, inputs.
	NodePolicy
	// Outcome is a node's view of itself, and of what an action or an expression gave: data, value, status, message.
	Outcome
	// Change is the server's view of one node, and of the state of a check there: state.
	Change
	// Gate is what a run that goes batch by batch may wait for: verdict(check), verdict(check, filter), tally(check), tally(check, filter), now.
	Gate
)

// String gives the word for e.
func (e Environment) String() string {
	if e < 0 || int(e) >= len(environmentNames) {
		return "environment out of range"
	}
	return environmentNames[e]
}

var environmentNames = [...]string{"node", "on-node", "policy", "tally", "condition", "node-policy", "outcome", "change", "gate"}

// Bounds of a program. A filter is typed by people and stored by the thousand; these are far above what either needs.
const (
	MaxText  = 64 << 10 // bytes of a filter's text, saved filters expanded
	maxNodes = 10_000   // of the expression tree, macros expanded
	maxDepth = 250      // of nesting, before the parser gives up
	maxLoops = 3        // comprehensions inside one another
	maxRange = 1000     // elements of lists.range()
	// maxCost bounds one evaluation of an expression whose cost is not bounded by its length; in cel-go's units, of which counting makes about a
	// microsecond each.
	maxCost = 200_000
	// maxEstimate bounds what an expression may cost at worst, by an estimate over documents of a likely size.
	maxEstimate = 100_000_000
)

var (
	mapOfAny  = cel.MapType(cel.StringType, cel.DynType)
	nodeNames = []cel.EnvOption{
		cel.Variable("identity", cel.StringType),
		cel.Variable("facts", mapOfAny),
		cel.Variable("classes", cel.ListType(cel.StringType)),
		cel.Variable("agent", mapOfAny),
		cel.Variable("checks", cel.MapType(cel.StringType, mapOfAny)),
		cel.Variable("now", cel.TimestampType),
	}
	serverNames = []cel.EnvOption{
		cel.Variable("pools", cel.ListType(cel.StringType)),
		cel.Variable("labels", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("liveness", cel.StringType),
		cel.Variable("seen", cel.TimestampType),
		cel.Variable("enrolled", cel.TimestampType),
	}
	policyNames = []cel.EnvOption{
		cel.Variable("user", mapOfAny),
		cel.Variable("action", cel.StringType),
		cel.Variable("inputs", mapOfAny),
	}
	outcomeNames = []cel.EnvOption{
		cel.Variable("data", mapOfAny),
		cel.Variable("value", cel.DynType),
		cel.Variable("status", cel.IntType),
		cel.Variable("message", cel.StringType),
	}
	changeNames = []cel.EnvOption{
		cel.Variable("state", mapOfAny),
	}
	conditionNames = []cel.EnvOption{
		cel.Variable("context", mapOfAny),
		cel.Variable("inputs", mapOfAny),
		cel.Variable("steps", cel.MapType(cel.StringType, mapOfAny)),
		cel.Variable("now", cel.TimestampType),
	}
)

// TallyNames are the names of the Tally environment, all of them doubles, as are whole numbers that are written in it: counts are compared with
// parts of counts there.
func TallyNames() []string {
	return []string{"total", "ok", "warning", "critical", "unknown", "silent", "stale", "undefined", "silenced", "shadowed", "flapping"}
}

func tallyNames() (opts []cel.EnvOption) {
	for _, name := range TallyNames() {
		opts = append(opts, cel.Variable(name, cel.DoubleType))
	}
	return opts
}

// serverOnly tells whether name is known to the server and not to a node.
func serverOnly(name string) bool {
	switch name {
	case "pools", "labels", "liveness", "seen", "enrolled":
		return true
	}
	return false
}

// environments holds one compiled environment each. They are made on first use, because a program that only prints its version ought not to
// pay the milliseconds, and never change afterwards.
var environments = [...]func() (*language, error){
	Node:      sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames, serverNames) }),
	OnNode:    sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames) }),
	Policy:    sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames, serverNames, policyNames) }),
	Tally:     sync.OnceValues(func() (*language, error) { return newLanguage(tallyNames()) }),
	Condition: sync.OnceValues(func() (*language, error) { return newLanguage(conditionNames) }),

	NodePolicy: sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames, policyNames) }),
	Outcome:    sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames, outcomeNames) }),
	Change:     sync.OnceValues(func() (*language, error) { return newLanguage(nodeNames, serverNames, changeNames) }),
	Gate:       sync.OnceValues(func() (*language, error) { return newLanguage(gateNames) }),
}

// language is what an environment's filters are compiled in. It does not change.
type language struct {
	*cel.Env
	limited cel.ProgramOption // the functions whose results are bounded
}

func (e Environment) language() (*language, error) {
	if e < 0 || int(e) >= len(environments) {
		return nil, fmt.Errorf("filter environment %d does not exist", int(e))
	}
	return environments[e]()
}

func newLanguage(names ...[]cel.EnvOption) (*language, error) {
	opts := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.EnableMacroCallTracking(),
		cel.EnableIdentifierEscapeSyntax(),
		cel.DefaultUTCTimeZone(true),
		cel.OptionalTypes(),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(MaxText),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(),
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
			literals{},
		),
		ext.Strings(), ext.Math(), ext.Lists(ext.ListsMaxRangeSize(maxRange)), ext.Sets(), ext.Regex(), ext.Network(),
		ownFunctions(),
	}
	for _, n := range names {
		opts = append(opts, n...)
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the filter environment: %w", err)
	}
	settleNoSuchOverload(env)
	return &language{Env: env, limited: cel.Functions(bounded(env)...)}, nil //nolint:staticcheck // SA1019: it alone takes implementations for functions that are declared already
}

// settleNoSuchOverload evaluates one expression that has no overload. cel-go keeps that error in one package variable and writes the first
// expression's number into it, without a lock; done here, once, later evaluations only read it.
func settleNoSuchOverload(env *cel.Env) {
	ast, iss := env.Compile(`dyn("a") > 1`)
	if iss.Err() != nil {
		return
	}
	if prg, err := env.Program(ast); err == nil {
		_, _, _ = prg.Eval(cel.NoVars()) // the error is the purpose
	}
}
