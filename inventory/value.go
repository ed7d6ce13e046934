package inventory

import (
	"math"
	"strings"

	"github.com/fettle-dev/fettle/filter"
)

// kind tells what a value is.
type kind uint8

const (
	absent  kind = iota // the node has nothing there
	null                //
	boolean             // in num
	integer             // in num
	double              // in num, its bits
	text                // in str
	written             // in str, its JSON: a list, or a scalar that is written in a way of its own
	object              // the keys below have values of their own
)

// value is a fact of one node. Two values are the same fact if they are ==.
type value struct {
	kind kind
	num  uint64
	str  string
}

// valueOf gives the value of a leaf, as filter.Visitor has it. Its text may share memory with the document.
func valueOf(v any, how string) value {
	if how != "" {
		return value{kind: written, str: how}
	}
	switch v := v.(type) {
	case bool:
		if v {
			return value{kind: boolean, num: 1}
		}
		return value{kind: boolean}
	case int64:
		return value{kind: integer, num: uint64(v)}
	case float64:
		return value{kind: double, num: math.Float64bits(v)}
	case string:
		return value{kind: text, str: v}
	case []any:
		return value{kind: written, str: string(filter.AppendJSON(nil, v))}
	}
	return value{kind: null}
}

// keep gives v with a text of its own.
func (v value) keep() value {
	v.str = strings.Clone(v.str)
	return v
}

// any gives v as filter.Object has it. What is written was read once already, so it reads.
func (v value) any() any {
	switch v.kind {
	case boolean:
		return v.num == 1
	case integer:
		return int64(v.num)
	case double:
		return math.Float64frombits(v.num)
	case text:
		return v.str
	case written:
		list, err := filter.ParseList("[" + v.str + "]")
		if err == nil && len(list) == 1 {
			return list[0]
		}
	}
	return nil
}

// appendJSON writes v as it was written.
func (v value) appendJSON(dst []byte) []byte {
	if v.kind == written {
		return append(dst, v.str...)
	}
	return filter.AppendJSON(dst, v.any())
}

// typeWord gives the word for the type of v, as PathInfo has it.
func (v value) typeWord() string {
	switch v.kind {
	case null:
		return "null"
	case boolean:
		return "bool"
	case integer:
		return "int"
	case double:
		return "double"
	case text:
		return "string"
	case written:
		return typeOf(v.any())
	}
	return "object"
}
