package client

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

// serve makes a client of a server that gives one answer.
func serve(t *testing.T, status int, contentType, body string) *API {
	t.Helper()
	return handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func handle(t *testing.T, h http.HandlerFunc) *API {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	a, err := New(s.URL, "secret", "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestErrors(t *testing.T) {
	const problem = "application/problem+json"
	for _, row := range []struct {
		name              string
		status            int
		contentType, body string
		kind              error
		text              string
	}{
		{"not found", 404, problem, `{"status":404,"kind":"not-found","detail":"node web9"}`, fettle.ErrNotFound, "node web9"},
		{"invalid", 422, problem, `{"status":422,"kind":"invalid","detail":"limit 0"}`, fettle.ErrInvalid, "limit 0"},
		{"conflict", 409, problem, `{"status":409,"kind":"conflict","detail":"run 1 has ended"}`, fettle.ErrConflict, "run 1 has ended"},
		{"denied", 401, problem, `{"status":401,"kind":"denied","detail":"no token"}`, fettle.ErrDenied, "no token"},
		{"unavailable", 503, problem, `{"status":503,"kind":"unavailable","detail":"loading"}`, fettle.ErrUnavailable, "loading"},
		{
			"a place in a filter", 422, problem,
			`{"status":422,"kind":"invalid","detail":"undeclared name","line":1,"column":1,"text":"  1 | os\n    | ^","suggestion":"did you mean facts.os?"}`,
			fettle.ErrInvalid, "undeclared name (did you mean facts.os?)\n  1 | os\n    | ^",
		},
		{
			"several members", 422, problem,
			`{"status":422,"kind":"invalid","detail":"validation failed","errors":[{"message":"too short","location":"body.name"},{"message":"none of these","location":"body.role"}]}`,
			fettle.ErrInvalid, "validation failed\n  body.name: too short\n  body.role: none of these",
		},
		{"a proxy's page", 502, "text/html", "<html>Bad Gateway</html>", fettle.ErrUnavailable, "the server answered 502 Bad Gateway"},
		{"a proxy's words", 403, "text/plain", "blocked by policy\nmore", fettle.ErrDenied, "blocked by policy"},
		{"no problem at all", 404, problem, "{", fettle.ErrNotFound, "{"},
		{"nothing", 409, "", "", fettle.ErrConflict, "the server answered 409 Conflict"},
		{"another program's JSON", 418, "application/json", `{"error":"teapot"}`, fettle.ErrInvalid, `{"error":"teapot"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := serve(t, row.status, row.contentType, row.body).Find(t.Context(), nil)
			var known *Error
			if !errors.Is(err, row.kind) || !errors.As(err, &known) || int(known.Status) != row.status || err.Error() != row.text {
				t.Errorf("got %#v\n%v", err, err)
			}
		})
	}
	t.Run("a fault of the server is of no kind, and names its request", func(t *testing.T) {
		_, err := serve(t, 500, problem, `{"status":500,"kind":"fault","detail":"internal error","request_id":"r1"}`).Find(t.Context(), nil)
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				t.Errorf("it is %v", kind)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "r1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNoServer(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := ln.Addr().String()
		ln.Close()
		a, err := New("http://"+address, "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Version(t.Context())
		if !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), address+" cannot be reached: dial tcp") {
			t.Errorf("got %v", err)
		}
		for _, err := range a.Watch(t.Context(), "x") {
			if !errors.Is(err, fettle.ErrUnavailable) {
				t.Errorf("watch: %v", err)
			}
		}
	})
	t.Run("another program listens", func(t *testing.T) {
		if _, err := serve(t, 200, "text/html", "<html>hello</html>").Version(t.Context()); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "is it one?") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an answer that breaks off", func(t *testing.T) {
		if _, err := serve(t, 200, "application/json", `{"version":"1`).Version(t.Context()); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("who gives up is told so", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := handle(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if _, err := a.Version(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, in := range map[string][3]string{
		"no URL":            {"", "", ""},
		"a host alone":      {"localhost:8420", "", ""},
		"another scheme":    {"stomp://localhost:1", "", ""},
		"a token of lines":  {"http://localhost", "a\nb", ""},
		"a CA that is away": {"https://localhost", "", "/nowhere.pem"},
		"a CA that is none": {"https://localhost", "", "-----BEGIN NOTHING-----"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(in[0], in[1], in[2]); !errors.Is(err, fettle.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"version":%q,"api":"1"}`, r.Header.Get("Authorization"))
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, ca := range map[string]string{"as a file": file, "as text": string(text)} {
		t.Run(name, func(t *testing.T) {
			a, err := New(s.URL+"/", "secret\n", ca)
			if err != nil {
				t.Fatal(err)
			}
			v, err := a.Version(t.Context())
			if err != nil || v.Version != "Bearer secret" {
				t.Errorf("got %+v, %v", v, err)
			}
		})
	}
	t.Run("a server that nobody vouches for is not trusted", func(t *testing.T) {
		a, err := New(s.URL, "secret", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Version(t.Context()); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPaths(t *testing.T) {
	var asked string
	a := handle(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath() + "?" + r.URL.RawQuery
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	})
	if _, err := a.FactValues(t.Context(), `mountpoints."/boot".size`, &CountValuesParams{Where: new(`a == "b&c"`)}); err != nil {
		t.Fatal(err)
	}
	if want := "/api/v1/facts/mountpoints.%22%2Fboot%22.size?where=a+%3D%3D+%22b%26c%22"; asked != want && asked != strings.ReplaceAll(want, "+", "%20") {
		t.Errorf("asked %s", asked)
	}
}
