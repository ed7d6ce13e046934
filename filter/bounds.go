package filter

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// maxString is the length of the longest string that a function may make, in bytes. cel-go counts the cost of a call when its memory has been
// used already.
const maxString = 8 << 20

// bounded gives the functions of env whose result may be far larger than their arguments, each behind a limit.
func bounded(env *cel.Env) []*functions.Overload {
	var out []*functions.Overload
	for name, size := range map[string]func([]ref.Val) int{"replace": replaceSize, "regex.replace": replaceSize, "join": joinSize, "format": formatSize} {
		f, ok := env.Functions()[name]
		if !ok {
			continue
		}
		bindings, err := f.Bindings()
		if err != nil {
			continue
		}
		for _, b := range bindings {
			out = append(out, &functions.Overload{Operator: b.Operator, OperandTrait: b.OperandTrait, Function: limited(b, size)})
		}
	}
	return out
}

// limited calls b unless what it would make is too long.
func limited(b *functions.Overload, size func([]ref.Val) int) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		if size(args) > maxString {
			return types.NewErr("the result is longer than %d bytes", maxString)
		}
		switch {
		case len(args) == 1 && b.Unary != nil:
			return b.Unary(args[0])
		case len(args) == 2 && b.Binary != nil:
			return b.Binary(args[0], args[1])
		case b.Function != nil:
			return b.Function(args...)
		}
		return types.NoSuchOverloadErr()
	}
}

// length gives the length of a string, and 0 of anything else, which the function itself refuses.
func length(v ref.Val) int {
	s, _ := v.(types.String)
	return len(s)
}

// replaceSize bounds text.replace(old, new) and regex.replace(text, pattern, new): new may stand for each byte of the text.
func replaceSize(args []ref.Val) int {
	if len(args) < 3 {
		return 0
	}
	return (length(args[0]) + 1) * (length(args[2]) + 1)
}

func joinSize(args []ref.Val) (n int) {
	if len(args) == 0 {
		return 0
	}
	list, ok := args[0].(traits.Lister)
	if !ok {
		return 0
	}
	between := 0
	if len(args) > 1 {
		between = length(args[1])
	}
	for it := list.Iterator(); it.HasNext() == types.True && n <= maxString; {
		n += length(it.Next()) + between
	}
	return n
}

func formatSize(args []ref.Val) int {
	if len(args) < 2 {
		return 0
	}
	return length(args[0]) + joinSize(args[1:2])
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
