package filter

import "strings"

// SplitList cuts a list of names and expressions at its commas, and leaves out what is blank. A comma in a string, in parentheses, brackets or braces
// belongs to what it stands in.
func SplitList(text string) (list []string) {
	depth, from := 0, 0
	cut := func(to int) {
		if part := strings.TrimSpace(text[from:to]); part != "" {
			list = append(list, part)
		}
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'':
			i += stringLength(text, i) - 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth <= 0 {
				cut(i)
				from = i + 1
			}
		}
	}
	cut(len(text))
	return list
}
