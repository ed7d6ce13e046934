package store

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

func TestParseDSN(t *testing.T) {
	for _, c := range []struct{ dsn, shown, password string }{
		{"sqlite:/var/lib/fettle/fettle.db", "sqlite:/var/lib/fettle/fettle.db", ""},
		{"sqlite:///var/lib/fettle.db", "sqlite:/var/lib/fettle.db", ""},
		{"sqlite:var/a b?#.db", "sqlite:var/a b?#.db", ""},
		{"mysql://ann:s%40cr%2Fet@db.acme.net/fettle", "mysql://ann:***@db.acme.net:3306/fettle", "s@cr/et"},
		{"mariadb://ann:x@[::1]:3307/fettle?timeout=3s", "mysql://ann:***@[::1]:3307/fettle", "x"},
		{"mysql://ann@db/fettle", "mysql://ann@db:3306/fettle", ""},
		{"mysql://db/fettle", "mysql://db:3306/fettle", ""},
		{"ann:s@:/?et@tcp(db:3306)/fettle", "mysql://ann:***@db:3306/fettle", "s@:/?et"},
		{"ann:x@unix(/run/mysqld/mysqld.sock)/fettle", "mysql://ann:***@/run/mysqld/mysqld.sock/fettle", "x"},
	} {
		src, err := parseDSN(c.dsn)
		if err != nil || src.shown != c.shown {
			t.Errorf("%s is shown as %q, error %v; want %q", c.dsn, src.shown, err, c.shown)
		}
		if src.mysql != nil && src.mysql.Passwd != c.password {
			t.Errorf("%s has password %q, want %q", c.dsn, src.mysql.Passwd, c.password)
		}
	}
}

func TestParseDSNFaults(t *testing.T) {
	const secret = "hunter2"
	for _, dsn := range []string{
		"", "/var/lib/fettle.db", "sqlite:", "sqlite::memory:", "sqlite:/var/lib/", "postgres://ann:hunter2@db/fettle", "mysql://ann:hunter2@db",
		"mysql://ann:hunter2@db/", "mysql://ann:hunter2@/fettle", "mysql://ann:hunter2@db/a/b", "mysql://ann:hunter2%zz@db/fettle",
		"mysql://ann:hunter2@db/fettle?timeout=soon", "mysql://ann:hunter2@db:port/fettle", "ann:hunter2@tcp(db:3306)/", "ann:hunter2@carrier-pigeon)/x",
		"sqlite:/a\x00b",
	} {
		_, err := parseDSN(dsn)
		if !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: error is %v", dsn, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows the password: %v", dsn, err)
		}
	}
}

func TestOpenFaults(t *testing.T) {
	for _, c := range []struct {
		dsn  string
		kind error
	}{
		{"nonsense", fettle.ErrInvalid},
		{"sqlite:/proc/none/fettle.db", fettle.ErrUnavailable},
		{"mysql://ann:hunter2@127.0.0.1:1/fettle", fettle.ErrUnavailable}, // nobody listens on port 1
	} {
		_, err := Open(t.Context(), Config{DSN: c.dsn}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, c.kind) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error is %v, want one that is %q and hides the password", c.dsn, err, c.kind)
		}
	}
}

// FuzzParseDSN holds that every DSN is understood or ErrInvalid, and that nothing shown has the password.
func FuzzParseDSN(f *testing.F) {
	for _, dsn := range []string{
		"sqlite:/a.db", "sqlite:///a.db", "mysql://u:p@h:3306/d?timeout=1s", "mariadb://u:p@[::1]/d", "u:p@tcp(h:1)/d", "u@unix(/s)/d?tls=true", ")/", "mysql://%",
	} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		src, err := parseDSN(dsn)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatalf("%q: %v", dsn, err)
			}
			return
		}
		if (src.mysql == nil) == (src.file == "") {
			t.Fatalf("%q leads to a file and to a server, or to neither: %+v", dsn, src)
		}
		if m := src.mysql; m != nil && m.Passwd != "" && src.shown != "mysql://"+m.User+":***@"+m.Addr+"/"+m.DBName {
			t.Fatalf("%q is shown as %q", dsn, src.shown)
		}
	})
}
