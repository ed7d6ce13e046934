package filter_test

import (
	"testing"

	"github.com/fettle-dev/fettle/filter"
)

func TestFunctions(t *testing.T) {
	for text, want := range map[string]filter.Truth{
		`version("1.10") > version("1.9")`:                                                        filter.True,
		`version("1.2") == version("1.2.0")`:                                                      filter.True,
		`version("v1.2") <= version("1.2+build7")`:                                                filter.True,
		`version("1.2-rc1") < version("1.2")`:                                                     filter.True,
		`version("1.2~beta") < version("1.2-alpha")`:                                              filter.True,
		`version("6.1.0-18-amd64") > version("6.1.0")`:                                            filter.True,
		`version("6.1.0-9") < version("6.1.0-18")`:                                                filter.True,
		`version("1.0.2k") > version("1.0.2") `:                                                   filter.True,
		`version(9) < version("10")`:                                                              filter.True,
		`version("007") == version("7")`:                                                          filter.True,
		`string(version("1.2")) == "1.2"`:                                                         filter.True,
		`version(dyn("x")) > version("1")`:                                                        filter.Undefined,
		`version(dyn(-1)) > version("1")`:                                                         filter.Undefined,
		`version(dyn(true)) > version("1")`:                                                       filter.Undefined,
		`glob("web12", "web*") && "web12".glob("w?b[0-9][!3]")`:                                   filter.True,
		`glob("a*b", "a[*]b") && !glob("axb", "a[*]b")`:                                           filter.True,
		`glob("", "*") && !glob("", "?")`:                                                         filter.True,
		`glob("aXbXc", "a*b*c") && !glob("aXbX", "a*b*c")`:                                        filter.True,
		`glob("]", "[]]") && glob("ä", "[ä-ö]")`:                                                  filter.True,
		`glob("x", dyn("[a"))`:                                                                    filter.Undefined,
		`glob("x", dyn(1))`:                                                                       filter.Undefined,
		`number("12") == 12 && number(" 1.5 ") == 1.5`:                                            filter.True,
		`number("9007199254740993") == 9007199254740993`:                                          filter.True,
		`number("12x") > 1`:                                                                       filter.Undefined,
		`number("NaN") > 1 || number("Inf") > 1`:                                                  filter.Undefined,
		`number(true) > 1`:                                                                        filter.Undefined,
		`cidr("10.0.0.0/8").containsIP("10.1.2.3")`:                                               filter.True,
		`cidr("10.0.0.0/8").containsCIDR("11.0.0.0/16")`:                                          filter.False,
		`ip("::1").isLoopback() && ip("10.0.0.1").family() == 4`:                                  filter.True,
		`isIP("x") || cidr(dyn("x")).prefixLength() == 8`:                                         filter.Undefined,
		`"%s has %d".format(["web", 3]) == "web has 3"`:                                           filter.True,
		`timestamp("2026-11-21T09:00:00Z") + duration("1h") == timestamp("2026-11-21T10:00:00Z")`: filter.True,
		`[3, 1, 2].sort() == [1, 2, 3] && [1, [2]].flatten() == [1, 2]`:                           filter.True,
		`["a", "b"] + ["c"] == ["a", "b", "c"] && 1 + 2 == 3 && 1.5 + 1.5 == 3.0`:                 filter.True,
		`9223372036854775807 + 1 > 0`:                                                             filter.Undefined,
	} {
		if got, missing := compile(t, text).Match(t.Context(), &filter.Record{}); got != want {
			t.Errorf("%s is %v %v, want %v", text, got, missing, want)
		}
	}
}
