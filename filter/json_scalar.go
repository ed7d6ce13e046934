package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (p *jsonReader) number() (any, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	digits := p.digits()
	if digits == 0 || digits > 1 && p.s[p.at-digits] == '0' {
		return nil, fmt.Errorf("a number is malformed")
	}
	integral := true
	if p.peek() == '.' {
		integral = false
		if p.at++; p.digits() == 0 {
			return nil, fmt.Errorf("a number ends in a dot")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		integral = false
		if p.at++; p.peek() == '+' || p.peek() == '-' {
			p.at++
		}
		if p.digits() == 0 {
			return nil, fmt.Errorf("a number has no exponent")
		}
	}
	return numberValue(p.s[start:p.at], integral)
}

// numberValue gives the int64 or float64 of a JSON number's literal.
func numberValue(lit string, integral bool) (any, error) {
	if integral {
		if i, err := strconv.ParseInt(lit, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(lit, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %.40s is out of range", lit)
	}
	return f, nil
}

func (p *jsonReader) digits() (n int) {
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
		n++
	}
	return n
}

func (p *jsonReader) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case c == '"':
			p.at++
			return p.s[start : p.at-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", fmt.Errorf("a control character stands in a string")
		}
		p.at++
	}
	return "", fmt.Errorf("a string does not end")
}

// escaped reads the rest of a string that began at start and has an escape at p.at.
func (p *jsonReader) escaped(start int) (string, error) {
	b := []byte(p.s[start:p.at])
	for p.at < len(p.s) {
		c := p.s[p.at]
		p.at++
		switch {
		case c == '"':
			return string(b), nil
		case c < 0x20:
			return "", fmt.Errorf("a control character stands in a string")
		case c != '\\':
			b = append(b, c)
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", fmt.Errorf("a string does not end")
}

func (p *jsonReader) escape() (rune, error) {
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := p.hex()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if strings.HasPrefix(p.s[p.at:], `\u`) {
			back := p.at
			p.at += 2
			low, err := p.hex()
			if err != nil {
				return 0, err
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
			p.at = back
		}
		return utf8.RuneError, nil
	}
	return 0, fmt.Errorf("a string has a bad escape")
}

func (p *jsonReader) hex() (rune, error) {
	if p.at+4 > len(p.s) {
		return 0, fmt.Errorf("a string has a bad escape")
	}
	n, err := strconv.ParseUint(p.s[p.at:p.at+4], 16, 16)
	if err != nil {
		return 0, fmt.Errorf("a string has a bad escape")
	}
	p.at += 4
	return rune(n), nil
}
