package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle/server/auth"
)

// listen opens the stream of changes, and gives the names of its events as they come.
func (h *house) listen(ctx context.Context) <-chan string {
	h.t.Helper()
	web := httptest.NewServer(h.engine)
	h.t.Cleanup(web.Close)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/changes", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: auth.CookieName, Value: h.cookie})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Content-Security-Policy") == "" {
		h.t.Fatalf("%s %v", res.Status, res.Header)
	}
	events := make(chan string)
	ended := make(chan struct{})
	h.t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		defer close(events)
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				select {
				case events <- name:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return events
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case name := <-events:
		return name
	case <-time.After(patience):
		t.Fatal("no event")
		return ""
	}
}

func TestChanges(t *testing.T) {
	h := newHouseWith(t, Config{Refresh: 50 * time.Millisecond}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := h.listen(ctx)
	if name := next(t, events); name != "hello" {
		t.Fatalf("the first event is %q", name)
	}
	t.Run("an open page hears of a change", func(t *testing.T) {
		h.join(threeNodes()[0])
		if name := next(t, events); name != "changed" {
			t.Errorf("got %q", name)
		}
	})
	t.Run("many changes are few events", func(t *testing.T) {
		began := time.Now()
		h.join(manyNodes(100)...)
		took := time.Since(began)
		count := 0
		for quiet := time.After(300 * time.Millisecond); ; {
			select {
			case <-events:
				count++
				continue
			case <-quiet:
			}
			break
		}
		if most := int(took/(50*time.Millisecond)) + 3; count < 1 || count > most {
			t.Errorf("%d events for 200 messages in %s", count, took)
		}
	})
	t.Run("the stream ends with the page", func(t *testing.T) {
		cancel()
		for range events { // until it is closed
			continue
		}
	})
}
