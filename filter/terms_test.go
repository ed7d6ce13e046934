package filter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

func TestTerms(t *testing.T) {
	saved := func(_ context.Context, name string) (fettle.Filter, error) {
		switch name {
		case "web-prod":
			return `facts.role == "web" || @web`, nil
		case "web":
			return `"web" in classes`, nil
		case "circle":
			return "@circle", nil
		}
		return "", fmt.Errorf("no such filter: %w", fettle.ErrNotFound)
	}
	for _, c := range []struct {
		about string
		terms filter.Terms
		want  fettle.Filter
	}{
		{"CEL stays as it is", filter.Terms{Bare: []string{`facts.a == 1`}}, `facts.a == 1`},
		{"several parts must all hold", filter.Terms{Bare: []string{`facts.a == 1 || facts.b == 2`}, Short: []string{"c=d"}}, `(facts.a == 1 || facts.b == 2) && (facts.c == "d")`},
		{"facts are terms of the short form, blanks and all", filter.Terms{Facts: []string{"motd = hello world", "cores>=8"}}, `(facts.motd == "hello world") && (number(facts.cores) >= 8)`},
		{"a class and a class pattern", filter.Terms{Classes: []string{"mysql::master", "/^db/i"}}, `("mysql::master" in classes) && (classes.exists(c, c.matches("(?i)^db")))`},
		{"of several identities one is enough", filter.Terms{Identities: []string{"WEB1", "web2", "/^db/", "mail*"}}, `identity.matches("^db") || identity.glob("mail*") || identity in ["web1", "web2"]`},
		{"-S takes CEL", filter.Terms{CEL: []string{`facts.a == "b"`}}, `facts.a == "b"`},
		{"-S takes the compound form", filter.Terms{CEL: []string{`a=b and (/c/ or not d=e)`}}, `facts.a == "b" && (classes.exists(c, c.matches("c")) || !(facts.d == "e"))`},
		{"saved filters are put in", filter.Terms{Bare: []string{`@web-prod && facts.mail == "x@web"`}, Saved: saved}, `(facts.role == "web" || ("web" in classes)) && facts.mail == "x@web"`},
		{"in the short form and the compound form too", filter.Terms{CEL: []string{`@web and not a=b`}, Short: []string{"@web a=b"}, Saved: saved}, `(("web" in classes) && !(facts.a == "b")) && (("web" in classes) && facts.a == "b")`},
	} {
		t.Run(c.about, func(t *testing.T) {
			got, err := c.terms.Filter(t.Context())
			if err != nil || got != c.want {
				t.Fatalf("got  %s, %v\nwant %s", got, err, c.want)
			}
			if _, err := filter.Compile(filter.Node, got); err != nil {
				t.Error(err)
			}
		})
	}
	for about, c := range map[string]struct {
		terms filter.Terms
		kind  error
	}{
		"nothing given":                           {filter.Terms{}, fettle.ErrInvalid},
		"an empty filter":                         {filter.Terms{CEL: []string{" "}}, fettle.ErrInvalid},
		"a class of blanks":                       {filter.Terms{Classes: []string{" "}}, fettle.ErrInvalid},
		"a fact without a value":                  {filter.Terms{Facts: []string{"env"}}, fettle.ErrInvalid},
		"an identity that is none":                {filter.Terms{Identities: []string{"a b"}}, fettle.ErrInvalid},
		"a saved filter that does not exist":      {filter.Terms{Bare: []string{"@nope"}, Saved: saved}, fettle.ErrInvalid},
		"a saved filter without a name":           {filter.Terms{Bare: []string{"@ && true"}, Saved: saved}, fettle.ErrInvalid},
		"saved filters that name one another":     {filter.Terms{Bare: []string{"@circle"}, Saved: saved}, fettle.ErrInvalid},
		"compound in a bare positional":           {filter.Terms{Bare: []string{"a=b and c=d"}}, fettle.ErrInvalid},
		"a CEL mistake is told in terms of CEL":   {filter.Terms{CEL: []string{`os.family == "Debian"`}}, fettle.ErrInvalid},
		"a broken regular expression for classes": {filter.Terms{Classes: []string{"/(/"}}, fettle.ErrInvalid},
	} {
		if _, err := c.terms.Filter(t.Context()); !errors.Is(err, c.kind) {
			t.Errorf("%s gave %v, want %v", about, err, c.kind)
		}
	}
}

func TestShortForm(t *testing.T) {
	for short, want := range map[string]string{
		`apache`:                    `"apache" in classes`,
		`"my class"`:                `"my class" in classes`,
		`env=prod  customer='a b'`:  `facts.env == "prod" && facts.customer == "a b"`,
		`path=/usr/bin`:             `facts.path == "/usr/bin"`,
		`path=/usr/`:                `string(facts.path).matches("usr")`,
		`a=/x/m b=/y/i`:             `facts.a == "/x/m" && string(facts.b).matches("(?i)y")`,
		`name~^web role=~api`:       `string(facts.name).matches("^web") && string(facts.role).matches("api")`,
		`name!=/^web/`:              `!string(facts.name).matches("^web")`,
		`env!=prod`:                 `facts.env != "prod"`,
		`zip=007`:                   `facts.zip == "007"`,
		`n=1.5`:                     `facts.n in ["1.5", 1.5]`,
		`n<-3`:                      `number(facts.n) < -3`,
		`n=99999999999999999999`:    `facts.n in ["99999999999999999999", 99999999999999999999.0]`,
		`letter>b`:                  `string(facts.letter) > "b"`,
		`facts.os.family=Debian`:    `facts.os.family == "Debian"`,
		`facts=x`:                   `facts.facts == "x"`,
		`in=x true=y`:               `facts["in"] == "x" && facts["true"] == "y"`,
		`quote="say \"hi\""`:        `facts.quote == "say \"hi\""`,
		`a==b`:                      `facts.a == "b"`,
		`url="a=b&c=d"`:             `facts.url == "a=b&c=d"`,
		`identity=/^web\/1/`:        `identity.matches("^web/1")`,
		`class!=db`:                 `!("db" in classes)`,
		`liveness=alive`:            `liveness == "alive"`,
		`/mysql::(master|slave)/`:   `classes.exists(c, c.matches("mysql::(master|slave)"))`,
		`mountpoints."/".size>=1e6`: `string(facts.mountpoints["/"].size) >= "1e6"`,
	} {
		got, err := filter.Parse(fettle.Filter(short))
		if err != nil || string(got) != want {
			t.Errorf("Parse(%s)\ngot  %s, %v\nwant %s", short, got, err, want)
			continue
		}
		if _, err := filter.Compile(filter.Node, got); err != nil {
			t.Errorf("%s: %v", short, err)
		}
	}
	for short, where := range map[string]int{`a="b`: 3, `=b`: 1, `a=`: 3, `x a..b=c`: 3, `a=/(/`: 3, `/x y/`: 1, `a=b (c)`: 5, `f(x)`: 1} {
		_, err := filter.Parse(fettle.Filter(short))
		var e *filter.Error
		if !errors.As(err, &e) || e.Column != where {
			t.Errorf("Parse(%s) = %v, want a fault at column %d", short, err, where)
		}
	}
}

func TestCompound(t *testing.T) {
	for text, want := range map[string]string{
		`a=b and c=d or e=f`:                 `facts.a == "b" && facts.c == "d" || facts.e == "f"`,
		`a=b && !(c=d || e=f)`:               `facts.a == "b" && !((facts.c == "d" || facts.e == "f"))`,
		`not apache`:                         `!("apache" in classes)`,
		`NOT (a=b AND c=d)`:                  `!((facts.a == "b" && facts.c == "d"))`,
		`a=/x(y|z)/ and (b=c)`:               `string(facts.a).matches("x(y|z)") && (facts.b == "c")`,
		`environment=prod and "odd (class)"`: `facts.environment == "prod" && "odd (class)" in classes`,
	} {
		got, err := filter.ParseCompound(fettle.Filter(text))
		if strings.Contains(text, "odd") {
			if err == nil {
				t.Errorf("%s: a class with parentheses was taken: %s", text, got)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("ParseCompound(%s)\ngot  %s, %v\nwant %s", text, got, err, want)
			continue
		}
		if _, err := filter.Compile(filter.Node, got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "a=b and", "(a=b", "a=b)", "and a=b", "a=b c=d", "not", "()", strings.Repeat("(", 100) + "a=b" + strings.Repeat(")", 100)} {
		if got, err := filter.ParseCompound(fettle.Filter(text)); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("ParseCompound(%.20s) = %s, %v; want invalid", text, got, err)
		}
	}
}
