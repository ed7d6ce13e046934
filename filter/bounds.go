package filter

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Bounds of single calls. cel-go counts the cost of a call when its time and memory have been used already, and not by size where the types are
// known at run time only.
const (
	maxString = 8 << 20 // bytes of a string that a function makes
	maxPairs  = 4 << 20 // comparisons of elements by one function over lists
)

// bounds gives, for each function that may use far more than the length of its arguments, whether it may be called with them.
func bounds() map[string]func([]ref.Val) bool {
	return map[string]func([]ref.Val) bool{
		"_+_":             concatFits,
		"replace":         replaceFits,
		"regex.replace":   replaceFits,
		"join":            joinFits,
		"format":          formatFits,
		"distinct":        distinctFits,
		"sets.contains":   pairsFit,
		"sets.equivalent": pairsFit,
		"sets.intersects": pairsFit,
	}
}

// bounded gives the functions of env that have bounds, each behind its own.
func bounded(env *cel.Env) []*functions.Overload {
	var out []*functions.Overload
	for name, fits := range bounds() {
		f, ok := env.Functions()[name]
		if !ok {
			continue
		}
		bindings, err := f.Bindings()
		if err != nil {
			continue
		}
		for _, b := range bindings {
			out = append(out, limited(b, fits))
		}
	}
	return out
}

// limited gives b behind a bound.
func limited(b *functions.Overload, fits func([]ref.Val) bool) *functions.Overload {
	out := &functions.Overload{Operator: b.Operator, OperandTrait: b.OperandTrait, NonStrict: b.NonStrict}
	if b.Unary != nil {
		out.Unary = func(v ref.Val) ref.Val {
			if !fits([]ref.Val{v}) {
				return tooLarge()
			}
			return b.Unary(v)
		}
	}
	if b.Binary != nil {
		out.Binary = func(l, r ref.Val) ref.Val {
			if !fits([]ref.Val{l, r}) {
				return tooLarge()
			}
			return b.Binary(l, r)
		}
	}
	if b.Function != nil {
		out.Function = func(args ...ref.Val) ref.Val {
			if !fits(args) {
				return tooLarge()
			}
			return b.Function(args...)
		}
	}
	return out
}

func tooLarge() ref.Val { return types.NewErr("the arguments are too large") }

// length gives the length of a string, and 0 of anything else, which the function itself refuses.
func length(v ref.Val) int {
	s, _ := v.(types.String)
	return len(s)
}

// elements gives the number of elements of a list, and 0 of anything else.
func elements(v ref.Val) int {
	l, ok := v.(traits.Lister)
	if !ok {
		return 0
	}
	n, _ := l.Size().(types.Int)
	return int(n)
}

func concatFits(args []ref.Val) bool {
	return len(args) < 2 || length(args[0])+length(args[1]) <= maxString
}

// replaceFits bounds text.replace(old, new) and regex.replace(text, pattern, new): new may stand for each byte of the text.
func replaceFits(args []ref.Val) bool {
	return len(args) < 3 || (length(args[0])+1)*(length(args[2])+1) <= maxString
}

func joinFits(args []ref.Val) bool {
	between := 0
	if len(args) > 1 {
		between = length(args[1])
	}
	return len(args) == 0 || totalLength(args[0], between) <= maxString
}

// totalLength gives the length of all elements of a list of strings, with so many bytes beside each.
func totalLength(v ref.Val, beside int) (n int) {
	list, ok := v.(traits.Lister)
	if !ok {
		return 0
	}
	for it := list.Iterator(); it.HasNext() == types.True && n <= maxString; {
		n += length(it.Next()) + beside
	}
	return n
}

func formatFits(args []ref.Val) bool {
	return len(args) < 2 || elements(args[1]) <= 100 && totalLength(args[1], 0) <= maxString
}

func distinctFits(args []ref.Val) bool {
	return len(args) == 0 || elements(args[0])*elements(args[0]) <= maxPairs
}

func pairsFit(args []ref.Val) bool {
	return len(args) < 2 || elements(args[0])*elements(args[1]) <= maxPairs
}

// cheap are the functions whose cost is bounded by the length of a filter and the size of a document. An expression of these needs no limit on
// its cost, and counting would double it.
func cheap(function string) bool {
	switch function {
	case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "!_", "_&&_", "_||_", "_?_:_", "-_", "_-_", "_*_", "_/_", "_%_",
		"_[_]", "_?._", "_[?_]", "optional.of", "optional.none", "optional.ofNonZeroValue", "hasValue", "value", "or", "orValue",
		"startsWith", "endsWith", "contains", "matches", "size", "type", "dyn", "bool", "int", "uint", "double", "string", "timestamp", "duration",
		"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
		"lowerAscii", "upperAscii", "trim", "charAt", "substring", "indexOf", "lastIndexOf", "math.@max", "math.@min", "math.abs", "math.ceil", "math.floor", "math.round",
		"ip", "isIP", "cidr", "isCIDR", "containsIP", "containsCIDR", "family", "isLoopback", "masked", "prefixLength", "version", "glob", "number":
		return true
	}
	return false
}

// costly tells whether the cost of e is not bounded by its length.
func costly(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			found = true
		case ast.CallKind:
			found = found || !cheap(e.AsCall().FunctionName())
		}
	}))
	return found
}
