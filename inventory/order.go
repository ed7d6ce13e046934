package inventory

import (
	"cmp"
	"math"
	"math/big"
	"strings"
)

// compareValues orders scalars: false, true, numbers by their size, texts by their bytes. An int64 and a float64 are compared exactly.
func compareValues(a, b any) int {
	if c := cmp.Compare(valueRank(a), valueRank(b)); c != 0 {
		return c
	}
	switch x := a.(type) {
	case string:
		y, _ := b.(string)
		return strings.Compare(x, y)
	case bool:
		y, _ := b.(bool)
		return compareNone(x, y)
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case float64:
		if y, ok := b.(float64); ok {
			return cmp.Compare(x, y)
		}
	}
	return compareMixed(a, b)
}

// compareMixed compares an int64 with a float64.
func compareMixed(a, b any) int {
	x, y := bigFloat(a), bigFloat(b)
	if x == nil || y == nil {
		return 0
	}
	return x.Cmp(y)
}

func bigFloat(v any) *big.Float {
	switch v := v.(type) {
	case int64:
		return new(big.Float).SetInt64(v)
	case float64:
		if !math.IsNaN(v) {
			return new(big.Float).SetFloat64(v)
		}
	}
	return nil
}

func valueRank(v any) int {
	switch v.(type) {
	case bool:
		return 0
	case int64, float64:
		return 1
	case string:
		return 2
	}
	return 3
}

// compareNone puts what is there before what is not.
func compareNone(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
