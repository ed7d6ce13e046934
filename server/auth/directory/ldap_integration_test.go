//go:build integration

package directory

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

const base = "dc=fettle,dc=test"

// slapd gives settings for the real one: FETTLE_TEST_LDAP is its address, FETTLE_TEST_LDAP_CA the certificate that it shows.
func slapd(t *testing.T) LDAPConfig {
	t.Helper()
	c := LDAPConfig{
		URL: os.Getenv("FETTLE_TEST_LDAP"), CA: os.Getenv("FETTLE_TEST_LDAP_CA"), StartTLS: true, UserDN: "uid=%s,ou=people," + base,
		GroupBase: "ou=groups," + base, Roles: []RoleOf{{"Operators", "operator"}, {"admins", "admin"}},
	}
	if c.URL == "" || c.CA == "" {
		t.Fatal("FETTLE_TEST_LDAP and FETTLE_TEST_LDAP_CA are not set: test/services/services.sh start ldap")
	}
	return c
}

func TestSlapd(t *testing.T) {
	asUser := slapd(t)
	search := slapd(t)
	search.UserDN, search.UserBase, search.BindDN, search.BindPassword = "", "ou=people,"+base, "cn=admin,"+base, "secret"
	for way, cfg := range map[string]LDAPConfig{"bound as the user": asUser, "searched for": search} {
		l, err := NewLDAP(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(way+", who has the right password has the role of the groups", func(t *testing.T) {
			for name, want := range map[string]auth.Identity{
				"ann":   {Name: "ann", Role: auth.Operator, Groups: []string{"operators"}, Source: auth.SourceLDAP},
				"carol": {Name: "carol", Role: auth.Admin, Groups: []string{"admins", "operators"}, Source: auth.SourceLDAP},
				"bob":   {Name: "bob", Source: auth.SourceLDAP},
			} {
				id, err := l.Check(t.Context(), name, "secret of "+name)
				slices.Sort(id.Groups)
				if err != nil || id.Name != want.Name || id.Role != want.Role || !slices.Equal(id.Groups, want.Groups) || id.Source != want.Source {
					t.Errorf("%s: got %+v, %v", name, id, err)
				}
			}
		})
		t.Run(way+", nobody else comes in", func(t *testing.T) {
			for _, try := range [][2]string{
				{"ann", "secret of bob"},
				{"ann", ""},
				{"", "secret of ann"},
				{"nobody", "secret of ann"},
				{"*", "secret of ann"},
				{"a*", "secret of ann"},
				{"ann)(uid=*", "secret of ann"},
				{"ann,ou=people," + base, "secret of ann"},
				{"ann\x00", "secret of ann"},
			} {
				if id, err := l.Check(t.Context(), try[0], try[1]); !errors.Is(err, fettle.ErrDenied) {
					t.Errorf("%q: got %+v, %v", try[0], id, err)
				}
			}
		})
	}
	t.Run("who searches with a wrong password is our fault, not the user's", func(t *testing.T) {
		c := search
		c.BindPassword = "wrong"
		l, err := NewLDAP(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Check(t.Context(), "ann", "secret of ann"); !errors.Is(err, fettle.ErrUnavailable) || errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a certificate that is not trusted is not spoken to", func(t *testing.T) {
		c := asUser
		c.CA = ""
		l, err := NewLDAP(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Check(t.Context(), "ann", "secret of ann"); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
}

func TestSilentLDAP(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // it accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	l, err := NewLDAP(LDAPConfig{
		URL: "ldap://" + deaf.Addr().String(), UserDN: "uid=%s," + base, GroupBase: base, Roles: []RoleOf{{"ops", "viewer"}}, Timeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := l.Check(t.Context(), "ann", "secret"); !errors.Is(err, fettle.ErrUnavailable) || time.Since(began) > 10*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
