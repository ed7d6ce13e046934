package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// Encode makes a document of facts as they were collected: nil, bool, string, whole numbers, float64, json.Number, lists and maps by string.
// A float without a fraction is written with one (2.0), so that it stays a float; text that is not UTF-8 has its bad bytes replaced. A
// key that is not, any other type, a NaN or an infinity is ErrInvalid and names the path, and so is a document out of bounds.
func Encode(facts map[string]any) (Document, error) {
	raw, err := encodeMap(make([]byte, 0, 8<<10), facts, nil)
	if err != nil {
		return Document{}, fmt.Errorf("facts: %w", err)
	}
	if len(raw) > 4*MaxLeaves {
		return Canonical(raw)
	}
	return documentOf(bytes.Clone(raw)) // a document is kept for long, and the room that was left is not needed
}

func encodeMap(dst []byte, m map[string]any, path fettle.Path) ([]byte, error) {
	if len(path) >= MaxDepth {
		return nil, fmt.Errorf("%s: more than %d levels: %w", clip(path.String()), MaxDepth, fettle.ErrInvalid)
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if !utf8.ValidString(key) {
			return nil, fmt.Errorf("%s: the key %q is not UTF-8: %w", clip(path.String()), clip(key), fettle.ErrInvalid)
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, key), ':')
		var err error
		if dst, err = encodeValue(dst, m[key], append(path, key)); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func encodeList[T any](dst []byte, list []T, path fettle.Path) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = encodeValue(dst, v, append(path, strconv.Itoa(i))); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func encodeValue(dst []byte, v any, path fettle.Path) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, strings.ToValidUTF8(v, "\uFFFD")), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float64:
		return encodeFloat(dst, v, path)
	case json.Number:
		return encodeNumber(dst, v, path)
	case []any:
		return encodeList(dst, v, path)
	case []string:
		return encodeList(dst, v, path)
	case map[string]any:
		return encodeMap(dst, v, path)
	case map[string]string:
		m := make(map[string]any, len(v))
		for k, s := range v {
			m[k] = s
		}
		return encodeMap(dst, m, path)
	}
	return nil, fmt.Errorf("%s: a %T is no fact: %w", clip(path.String()), v, fettle.ErrInvalid)
}

func encodeFloat(dst []byte, f float64, path fettle.Path) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s: %v is no fact: %w", clip(path.String()), f, fettle.ErrInvalid)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if !strings.ContainsAny(string(dst[at:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst, nil
}

func encodeNumber(dst []byte, n json.Number, path fettle.Path) ([]byte, error) {
	c := canon{src: []byte(n)}
	dst, err := c.number(dst)
	if err != nil || c.pos != len(n) {
		return nil, fmt.Errorf("%s: %q is no number: %w", clip(path.String()), clip(string(n)), fettle.ErrInvalid)
	}
	return dst, nil
}
