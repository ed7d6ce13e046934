package filter

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// valueWord gives the word for the type of v, as a person would say it.
func valueWord(v ref.Val) string {
	if t, ok := v.Type().(*types.Type); ok {
		return typeWord(t)
	}
	return v.Type().TypeName()
}

// typeWord gives the word for t.
func typeWord(t *types.Type) string {
	switch t.Kind() {
	case types.StringKind, types.IntKind, types.BoolKind, types.DoubleKind, types.UintKind, types.BytesKind:
		return t.TypeName()
	case types.NullTypeKind:
		return "null"
	case types.ListKind:
		return "list"
	case types.MapKind:
		return "map"
	case types.TimestampKind:
		return "timestamp"
	case types.DurationKind:
		return "duration"
	case types.DynKind, types.AnyKind:
		return "any value"
	}
	switch t.TypeName() {
	case versionType.TypeName():
		return "version"
	case "net.IP":
		return "ip"
	case "net.CIDR":
		return "cidr"
	case "optional_type":
		return "optional"
	}
	return cel.FormatCELType(t)
}

// functionWord gives the sign or name by which people know a function of CEL.
func functionWord(name string) string {
	if s, ok := functionWords[name]; ok {
		return s
	}
	if s := strings.Trim(name, "_"); s != "" && s != name {
		return s
	}
	return name
}

// goValue gives v as plain Go values: nil, bool, int64, float64, string, []any, map[string]any, time.Time, and text for all else.
func goValue(v ref.Val) any {
	switch v := v.(type) {
	case types.String, types.Int, types.Double, types.Bool, types.Timestamp, version:
		return v.Value()
	case types.Null:
		return nil
	case types.Uint:
		return int64(v)
	case types.Duration:
		return v.Duration.String()
	case *types.Optional:
		if !v.HasValue() {
			return nil
		}
		return goValue(v.GetValue())
	case object:
		return v.Value()
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			key, _ := k.ConvertToType(types.StringType).(types.String)
			out[string(key)] = goValue(v.Get(k))
		}
		return out
	case traits.Lister:
		out := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			out = append(out, goValue(it.Next()))
		}
		return out
	}
	if s, ok := v.ConvertToType(types.StringType).(types.String); ok {
		return string(s)
	}
	return v.Type().TypeName()
}

// functionWords are those that do not follow from CEL's own name.
var functionWords = map[string]string{
	"_?_:_": "?:", "_[_]": "[]", "_?._": ".?", "_[?_]": "[?]", "@in": "in", "!_": "!", "-_": "-",
	"math.@max": "math.greatest", "math.@min": "math.least", "@not_strictly_false": "a condition",
}
