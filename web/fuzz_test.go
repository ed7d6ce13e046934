package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A link to a question leads to the same question.
func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{"", "where=a%3D1&cols=os.name,kernel&facet=os.family", `cols="a%2Cb".c&add=x`, "cols=-", "limit=99999&cursor=x", "where=%00%FF&facet=a..b", "sort=facts.os.name&desc=1&explain=1", "sort=labels", "as_of=2026-11-14T09:00", "as_of=9999-12-31T23:59:59.999-10:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := parseQuestion(values)
		if err != nil {
			return
		}
		link, err := url.Parse(q.URL())
		if err != nil {
			t.Fatalf("%q gave the link %q: %v", raw, q.URL(), err)
		}
		again, err := parseQuestion(link.Query())
		again.Limit = q.Limit // links have none
		if diff := cmp.Diff(q, again); err != nil || diff != "" {
			t.Errorf("%q: %v %s", raw, err, diff)
		}
	})
}

// Where somebody goes after signing in is a page of this server.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/nodes?where=a", "//evil.example", "/\\evil.example", "https://evil.example/x", "/%2F/evil", "javascript:alert(1)", "/a\r\nX: y", "/login"} {
		f.Add(seed)
	}
	base, err := url.Parse("http://fettle.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := local(next)
		if got == "" {
			return
		}
		to, err := base.Parse(got)
		if err != nil || to.Host != base.Host || to.Scheme != "http" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n") {
			t.Errorf("%q leads to %q (%v)", next, got, err)
		}
	})
}

// A search finds what it marks, and marking loses no letter.
func FuzzTree(f *testing.F) {
	f.Add(`{"os":{"family":"Debian","n":1},"l":[{"a":null},"b"]}`, "fam deb")
	f.Add(`{"İ":"ß","":{"":[]}}`, "i̇ SS")
	f.Add(`[1,2]`, "")
	f.Fuzz(func(t *testing.T, document, search string) {
		if len(document) > 4096 || len(search) > 256 {
			return
		}
		all, found := grow(parse([]byte(document)), nodeAsk{}), grow(parse([]byte(document)), nodeAsk{Search: search})
		if found.Hits > all.Hits || all.Leaves != found.Leaves || all.Hits != all.Leaves {
			t.Errorf("%d of %d are found in %q by %q", found.Hits, found.Leaves, document, search)
		}
		for _, b := range found.Kids {
			if !hasBranch(all.Kids, whole(b.Key), whole(b.Value)) {
				t.Errorf("%q = %q is not in %q", whole(b.Key), whole(b.Value), document)
			}
		}
	})
}

func hasBranch(all []branch, key, value string) bool {
	for _, b := range all {
		if whole(b.Key) == key && whole(b.Value) == value {
			return true
		}
	}
	return false
}

// whole puts pieces together again.
func whole(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}
