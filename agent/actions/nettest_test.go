//go:build unix

package actions

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

// site is a server with a few pages; other is where it redirects to.
func site(t *testing.T) (plain, secure *httptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Token")+r.Host)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		for range 2048 {
			_, _ = w.Write(make([]byte, 1024))
		}
	})
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half"))
	})
	plain, secure = httptest.NewServer(mux), httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // one who does not trust it says so
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return plain, secure
}

func TestHTTPRequest(t *testing.T) {
	plain, secure := site(t)
	seen := func(out Outcome) string {
		headers, _ := out.Data["headers"].(map[string]any)
		s, _ := headers["x-seen"].(string)
		return s
	}
	out := do(t, "http.request", map[string]any{"url": plain.URL + "/echo", "method": "PUT", "body": "b", "headers": []any{"Host: other"}, "secret_headers": []any{"X-Token: s"}})
	if want(t, out, fettle.StatusOK, "200 OK in "); out.Data["body"] != "PUT b" || out.Data["status"] != int64(200) || seen(out) != "sother" {
		t.Errorf("%v", out.Data)
	}
	want(t, do(t, "http.request", map[string]any{"url": plain.URL + "/nosuch"}), fettle.StatusFailed, "404 Not Found")
	want(t, do(t, "http.request", map[string]any{"url": plain.URL + "/nosuch", "ok": []any{"404"}}), fettle.StatusOK, "404 Not Found")
	want(t, do(t, "http.request", map[string]any{"url": plain.URL + "/loop"}), fettle.StatusFailed, `Get "/loop": more than 5 redirections`)
	want(t, do(t, "http.request", map[string]any{"url": "ftp://x/"}), fettle.StatusInvalidInput, "http.request: input url has to match")
	want(t, do(t, "http.request", map[string]any{"url": secure.URL + "/echo"}), fettle.StatusFailed, `Get "`+secure.URL)
	want(t, do(t, "http.request", map[string]any{"url": secure.URL + "/echo", "insecure": true}), fettle.StatusOK, "200 OK")
	out = do(t, "http.request", map[string]any{"url": secure.URL + "/away?to=" + plain.URL + "/echo", "insecure": true})
	if want(t, out, fettle.StatusFailed, "Get "); !strings.Contains(out.Message, "from https to http") {
		t.Errorf("%v", out)
	}
	out = do(t, "http.request", map[string]any{"url": plain.URL + "/away?to=" + secure.URL + "/echo", "insecure": true, "secret_headers": []any{"X-Token: s"}, "headers": []any{"X-Other: y"}})
	if want(t, out, fettle.StatusOK, "200 OK"); strings.HasPrefix(seen(out), "s") {
		t.Errorf("a secret has gone to another server: %v", out.Data)
	}
	out = do(t, "http.request", map[string]any{"url": plain.URL + "/big"})
	if body, _ := out.Data["body"].(string); len([]rune(body)) != maxBody || out.Data["size"] != int64(2<<20) {
		t.Errorf("%d characters of %v bytes", len([]rune(body)), out.Data["size"])
	}
}

func TestHTTPDownload(t *testing.T) {
	plain, _ := site(t)
	path := filepath.Join(t.TempDir(), "file")
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("GET ")))
	inputs := map[string]any{"url": plain.URL + "/echo", "path": path, "sha256": sum, "mode": "0600"}
	out := do(t, "http.download", inputs)
	if want(t, out, fettle.StatusOK, path+" written, 4 bytes in "); out.Data["changed"] != true || out.Data["sha256"] != sum || out.Data["before"] != "" {
		t.Errorf("%v", out.Data)
	}
	want(t, do(t, "http.download", inputs), fettle.StatusOK, path+" is there already")
	for url, message := range map[string]string{
		plain.URL + "/nosuch": "the server answers 404", plain.URL + "/half": "unexpected EOF", plain.URL + "/big": "it has more than the 1 MiB that are taken", plain.URL + "/loop": `Get "/loop"`,
	} {
		want(t, do(t, "http.download", map[string]any{"url": url, "path": path, "limit": 1}), fettle.StatusFailed, message)
	}
	want(t, do(t, "http.download", map[string]any{"url": plain.URL + "/echo?", "path": path, "sha256": sumOf("x")}), fettle.StatusFailed, "it has SHA-256 "+sum)
	content, err := os.ReadFile(path)
	if entries, _ := os.ReadDir(filepath.Dir(path)); string(content) != "GET " || err != nil || len(entries) != 1 {
		t.Errorf("%q, %v, %v", content, err, entries)
	}
}

func sumOf(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

func TestNetHTTP(t *testing.T) {
	plain, secure := site(t)
	out := do(t, "nettest.http", map[string]any{"url": plain.URL + "/echo"})
	want(t, out, fettle.StatusOK, "200 OK in ")
	first, _ := out.Data["first"].(float64)
	took, _ := out.Data["took"].(float64)
	connect, _ := out.Data["connect"].(float64)
	if first <= 0 || took < first || connect <= 0 || out.Data["size"] != int64(4) || out.Data["address"] != strings.TrimPrefix(plain.URL, "http://") {
		t.Errorf("%v", out.Data)
	}
	want(t, do(t, "nettest.http", map[string]any{"url": plain.URL + "/loop"}), fettle.StatusOK, "302 Found")
	want(t, do(t, "nettest.http", map[string]any{"url": plain.URL + "/nosuch"}), fettle.StatusFailed, "404 Not Found")
	want(t, do(t, "nettest.http", map[string]any{"url": secure.URL + "/echo"}), fettle.StatusFailed, "Get ")
	out = do(t, "nettest.http", map[string]any{"url": secure.URL + "/echo", "insecure": true})
	if days, _ := out.Data["days"].(int64); days < 365 || out.Data["tls"] == nil {
		t.Errorf("%v", out.Data)
	}
}

func TestNetTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	n, _ := strconv.Atoi(port)
	out := do(t, "nettest.tcp", map[string]any{"host": "127.0.0.1", "port": n})
	if took, _ := out.Data["took"].(float64); out.Status != fettle.StatusOK || took <= 0 || out.Data["address"] != ln.Addr().String() {
		t.Errorf("%+v", out)
	}
	ln.Close()
	want(t, do(t, "nettest.tcp", map[string]any{"host": "127.0.0.1", "port": n}), fettle.StatusFailed, "dial tcp 127.0.0.1:"+port)
	want(t, do(t, "nettest.tcp", map[string]any{"host": "a b", "port": n}), fettle.StatusInvalidInput, "nettest.tcp: input host has to match")
}

func TestReadPing(t *testing.T) {
	for _, tt := range []struct {
		output string
		want   map[string]any
	}{
		{"3 packets transmitted, 3 received, 0% packet loss, time 2003ms\nrtt min/avg/max/mdev = 0.031/0.042/0.055/0.009 ms\n", map[string]any{"sent": int64(3), "received": int64(3), "loss": 0.0, "min": 0.031, "average": 0.042, "max": 0.055}},
		{"3 packets transmitted, 2 packets received, 33% packet loss\nround-trip min/avg/max = 0.1/0.2/0.3 ms\n", map[string]any{"sent": int64(3), "received": int64(2), "loss": 33.3, "min": 0.1, "average": 0.2, "max": 0.3}},
		{"1 packets transmitted, 0 received, 100% packet loss, time 0ms\n", map[string]any{"sent": int64(1), "received": int64(0), "loss": 100.0, "average": 0.0}},
	} {
		got, ok := readPing(tt.output)
		if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
			t.Errorf("%q (-want +got):\n%s", tt.output, diff)
		}
	}
	if _, ok := readPing("ping: nosuch: Name or service not known"); ok {
		t.Error("a fault was read as an answer")
	}
}
