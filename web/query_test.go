package web

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// query gives the elements that a selector finds: tag, #id, .class, [name] and [name=value], put together, and with a blank for "below".
func query(root *html.Node, selector string) []*html.Node {
	found := []*html.Node{root}
	for _, step := range strings.Fields(selector) {
		var next []*html.Node
		for _, from := range found {
			for n := range from.Descendants() {
				if n.Type == html.ElementNode && fits(n, step) && !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		found = next
	}
	return found
}

// fits tells whether n is what one step of a selector says.
func fits(n *html.Node, step string) bool {
	for rest := step; rest != ""; {
		end := len(rest)
		if i := strings.IndexAny(rest[1:], "#.["); i >= 0 && rest[0] != '[' {
			end = i + 1
		} else if rest[0] == '[' {
			end = strings.IndexByte(rest, ']') + 1
		}
		if !fitsPart(n, rest[:end]) {
			return false
		}
		rest = rest[end:]
	}
	return true
}

func fitsPart(n *html.Node, part string) bool {
	switch part[0] {
	case '#':
		return attr(n, "id") == part[1:]
	case '.':
		return slices.Contains(strings.Fields(attr(n, "class")), part[1:])
	case '[':
		name, value, exact := strings.Cut(strings.Trim(part, "[]"), "=")
		return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name && (!exact || a.Val == value) })
	}
	return n.Data == part
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text gives the text below n, with single blanks.
func text(n *html.Node) string {
	var b strings.Builder
	for kid := range n.Descendants() {
		if kid.Type == html.TextNode {
			b.WriteString(kid.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestQuery(t *testing.T) {
	doc, err := html.Parse(strings.NewReader(`<ul id=a class="x y"><li class=x>one<li data-k=v><b class="x z">two</b></ul><p class=x>three</p>`))
	if err != nil {
		t.Fatal(err)
	}
	for selector, want := range map[string]string{
		"li": "one two", "#a li": "one two", ".x b": "two", "ul.x.y .z": "two", "[data-k=v]": "two", "li[data-k]": "two", "[data-k=w]": "", "p.x": "three", "li li": "",
	} {
		var got []string
		for _, n := range query(doc, selector) {
			got = append(got, text(n))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s finds %q, want %q", selector, got, want)
		}
	}
}

// has tells whether an element has an attribute, empty ones too.
func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}
