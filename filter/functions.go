package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// ownFunctions are those that neither CEL nor cel-go's extensions have:
//
//	version("5.10.1-rc1")      a version, ordered as people order versions
//	glob(identity, "web*")     also identity.glob("web*"): * any text, ? one character, [a-c] one of them
//	number(facts.cores)        a number, or a string that is one; anything else is an error
func ownFunctions() cel.EnvOption {
	versions := []*cel.Type{versionType, versionType}
	opts := []cel.EnvOption{
		cel.Types(versionType),
		cel.Function("version",
			cel.Overload("version_string", []*cel.Type{cel.StringType}, versionType, cel.UnaryBinding(versionOfString)),
			cel.Overload("version_int", []*cel.Type{cel.IntType}, versionType, cel.UnaryBinding(versionOfInt))),
		cel.Function("string",
			cel.Overload("version_to_string", []*cel.Type{versionType}, cel.StringType, cel.UnaryBinding(func(v ref.Val) ref.Val {
				return v.ConvertToType(types.StringType)
			}))),
		cel.Function("glob",
			cel.Overload("glob_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(globBinding)),
			cel.MemberOverload("string_glob_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(globBinding))),
		cel.Function("number",
			cel.Overload("number_dyn", []*cel.Type{cel.DynType}, cel.DynType, cel.UnaryBinding(numberBinding))),
	}
	for op, name := range map[string]string{"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"} {
		opts = append(opts, cel.Function(op,
			cel.Overload(name+"_version", versions, cel.BoolType, decls.OverloadOperandTrait(traits.ComparerType))))
	}
	return func(e *cel.Env) (*cel.Env, error) {
		var err error
		for _, o := range opts {
			if e, err = o(e); err != nil {
				return nil, fmt.Errorf("declare a function: %w", err)
			}
		}
		return e, nil
	}
}

func globBinding(s, pattern ref.Val) ref.Val {
	text, ok1 := s.(types.String)
	pat, ok2 := pattern.(types.String)
	if !ok1 || !ok2 {
		return types.NoSuchOverloadErr()
	}
	ok, err := globMatch(string(pat), string(text))
	if err != nil {
		return types.NewErr("glob: %v", err)
	}
	return types.Bool(ok)
}

// numberBinding gives a number as it is, and a string that is one as int where it fits and as double otherwise.
func numberBinding(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Int, types.Uint, types.Double:
		return v
	case types.String:
		s := strings.TrimSpace(string(v))
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return types.Int(i)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return types.Double(f)
		}
		return types.NewErr("number: the string is no number")
	}
	return types.NoSuchOverloadErr()
}

// globMatch tells whether all of s matches pattern. It takes at most len(pattern)·len(s) steps.
func globMatch(pattern, s string) (bool, error) {
	p, text := []rune(pattern), []rune(s)
	if err := globCheck(p); err != nil {
		return false, err
	}
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(text) {
		n, ok := globOne(p[pi:], text[si])
		switch {
		case pi < len(p) && p[pi] == '*':
			star, mark = pi, si
			pi++
		case ok:
			pi += n
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false, nil
		}
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p), nil
}

// globCheck refuses a class that does not end.
func globCheck(p []rune) error {
	for i := 0; i < len(p); i++ {
		if p[i] != '[' {
			continue
		}
		end := classEnd(p[i:])
		if end < 0 {
			return fmt.Errorf("the class beginning at character %d does not end", i+1)
		}
		i += end
	}
	return nil
}

// classEnd gives the place of the bracket that closes the class at the beginning of p, and -1 if none does.
func classEnd(p []rune) int {
	i := 1
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		i++
	}
	for i++; i < len(p); i++ { // a bracket that comes first is one of the characters
		if p[i] == ']' {
			return i
		}
	}
	return -1
}

// globOne tells whether the first element of p, no star, matches r, and how long that element is.
func globOne(p []rune, r rune) (int, bool) {
	switch {
	case len(p) == 0:
		return 0, false
	case p[0] == '?':
		return 1, true
	case p[0] != '[':
		return 1, p[0] == r
	}
	end := classEnd(p)
	set, not := p[1:end], false
	if set[0] == '!' || set[0] == '^' {
		set, not = set[1:], true
	}
	in := false
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			in = in || set[i] <= r && r <= set[i+2]
			i += 2
			continue
		}
		in = in || set[i] == r
	}
	return end + 1, in != not
}
