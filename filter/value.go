package filter

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Object is a JSON object as a program reads it. A value is nil, bool, int64, float64, string, []any or Object; integral JSON numbers are
// int64 wherever they fit, because a float64 corrupts them above 2^53. An Object does not change while a program reads it.
type Object interface {
	// Get gives the value under key, and whether there is one.
	Get(key string) (value any, ok bool)
	// Keys gives all keys in byte order; the caller does not change the slice.
	Keys() []string
	// Len gives the number of keys.
	Len() int
}

// Map is an Object made of a Go map.
type Map map[string]any

// Get gives the value under key.
func (m Map) Get(key string) (any, bool) { v, ok := m[key]; return v, ok }

// Keys gives all keys in byte order.
func (m Map) Keys() []string { return sortedKeys(m) }

// Len gives the number of keys.
func (m Map) Len() int { return len(m) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// adapter turns Go values into CEL's. It is here for lists, whose elements cel-go converts when they are asked for.
type adapter struct{}

// NativeToValue gives the CEL value of v.
func (adapter) NativeToValue(v any) ref.Val { return toValue(v) }

// toValue gives the CEL value of v.
func toValue(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case int64:
		return types.Int(v)
	case int:
		return types.Int(v)
	case float64:
		return types.Double(v)
	case Object:
		return newObject(v)
	case map[string]any:
		return newObject(Map(v))
	case []any:
		return types.NewDynamicList(adapter{}, v)
	case []string:
		return types.NewStringList(types.DefaultTypeAdapter, v)
	case map[string]string:
		return types.NewStringStringMap(types.DefaultTypeAdapter, v)
	case time.Time:
		return types.Timestamp{Time: v}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// object is an Object as a CEL map. Unlike cel-go's own map it goes through its keys in order, so that a macro over an object gives the same
// answer every time.
type object struct{ Object }

func newObject(o Object) object {
	if o == nil {
		o = Map(nil)
	}
	return object{o}
}

var _ traits.Mapper = object{}

// Find gives the value under key.
func (o object) Find(key ref.Val) (ref.Val, bool) {
	k, ok := key.(types.String)
	if !ok {
		if types.IsUnknownOrError(key) {
			return key, false
		}
		return nil, false
	}
	v, ok := o.Object.Get(string(k))
	if !ok {
		return nil, false
	}
	return toValue(v), true
}

// Get gives the value under key, or an error value.
func (o object) Get(key ref.Val) ref.Val {
	v, ok := o.Find(key)
	if !ok {
		return types.ValOrErr(v, "no such key: %v", key)
	}
	return v
}

// Contains tells whether there is a value under key.
func (o object) Contains(key ref.Val) ref.Val {
	v, ok := o.Find(key)
	if !ok && v != nil {
		return v
	}
	return types.Bool(ok)
}

// Size gives the number of keys.
func (o object) Size() ref.Val { return types.Int(o.Len()) }

// IsZeroValue tells whether there is no key.
func (o object) IsZeroValue() bool { return o.Len() == 0 }

// Iterator goes through the keys in byte order.
func (o object) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, o.Keys()).Iterator()
}

// Equal compares with another map, key by key.
func (o object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || o.Size() != m.Size() {
		return types.False
	}
	for _, k := range o.Keys() {
		mine, _ := o.Find(types.String(k))
		theirs, found := m.Find(types.String(k))
		if !found || types.Equal(mine, theirs) != types.True {
			return types.False
		}
	}
	return types.True
}

// Type gives CEL's map type.
func (o object) Type() ref.Type { return types.MapType }

// Value gives the object as plain Go values.
func (o object) Value() any { return Plain(o.Object) }

// ConvertToType converts to map or type.
func (o object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", types.MapType, t)
}

// ConvertToNative converts to a Go type, as cel-go's own map does.
func (o object) ConvertToNative(t reflect.Type) (any, error) {
	m, ok := Plain(o.Object).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("convert an object to %v: it is no map", t)
	}
	return types.NewStringInterfaceMap(types.DefaultTypeAdapter, m).ConvertToNative(t)
}

// Plain gives v as encoding/json would: nil, bool, int64, float64, string, []any, map[string]any.
func Plain(v any) any {
	switch v := v.(type) {
	case Object:
		m := make(map[string]any, v.Len())
		for _, k := range v.Keys() {
			x, _ := v.Get(k)
			m[k] = Plain(x)
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = Plain(x)
		}
		return out
	}
	return v
}
