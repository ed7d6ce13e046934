package facts

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// ec2Service is the metadata service of EC2: a tree by path, and a token without which nothing is told.
type ec2Service struct {
	mu    sync.Mutex
	tree  map[string]string // guarded by mu; a path that ends with a slash is a listing
	old   bool              // there are no tokens yet
	asked atomic.Int64
}

func (s *ec2Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const token = "AQAEAtoken=="
	s.asked.Add(1)
	switch {
	case r.URL.Path == "/latest/api/token" && !s.old:
		if r.Method != http.MethodPut || r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") == "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, token)
		return
	case !s.old && r.Header.Get("X-aws-ec2-metadata-token") != token:
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	text, ok := s.tree[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, text)
}

func (s *ec2Service) set(path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tree[path] = text
}

func newEC2Service() *ec2Service {
	return &ec2Service{tree: map[string]string{
		"/latest/meta-data/":                                     "ami-id\nhostname\niam/\nidentity-credentials/\nlisted-only\npublic-keys/\nplacement/\nempty/\n",
		"/latest/meta-data/ami-id":                               "ami-0123",
		"/latest/meta-data/hostname":                             "ip-172-31-16-20.eu-central-1.compute.internal\n",
		"/latest/meta-data/iam/":                                 "info\nsecurity-credentials/",
		"/latest/meta-data/iam/info":                             `{"Code":"Success"}`,
		"/latest/meta-data/iam/security-credentials/":            "role",
		"/latest/meta-data/iam/security-credentials/role":        "SECRET",
		"/latest/meta-data/identity-credentials/":                "ec2/",
		"/latest/meta-data/identity-credentials/ec2/":            "info\nsecurity-credentials/\n",
		"/latest/meta-data/identity-credentials/ec2/info":        "i",
		"/latest/meta-data/public-keys/":                         "0=my key\n",
		"/latest/meta-data/public-keys/0/":                       "openssh-key",
		"/latest/meta-data/public-keys/0/openssh-key":            "ssh-rsa AAAA",
		"/latest/meta-data/placement/":                           "availability-zone",
		"/latest/meta-data/placement/availability-zone":          "eu-central-1a",
		"/latest/meta-data/empty/":                               "",
		"/latest/user-data":                                      "#!/bin/sh\necho hello\n",
		"/latest/meta-data/identity-credentials/ec2/credentials": "never listed",
	}}
}

// guest gives a collector of a machine in testdata whose metadata service is handler, and what Run says when it has ended.
func guest(t *testing.T, name string, handler http.Handler) *Collector {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	machine, err := txtar.ParseFile("testdata/machines/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	c := unpack(t, machine)
	c.cfg.Metadata, c.cfg.CloudEvery = server.URL+"/", 10*time.Millisecond
	c.cloud = newCloud(c.cfg)
	c.cloud.retry = time.Millisecond
	return c
}

// running runs c until the test ends.
func running(t *testing.T, c *Collector) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wait.Wait()
	})
}

func changed(t *testing.T, c *Collector) {
	t.Helper()
	select {
	case <-c.Changed():
	case <-time.After(10 * time.Second):
		t.Fatal("nothing has changed")
	}
}

func TestEC2(t *testing.T) {
	for name, old := range map[string]bool{"with tokens": false, "without tokens": true} {
		t.Run(name, func(t *testing.T) {
			service := newEC2Service()
			service.old = old
			c := guest(t, "ec2", service)
			if facts := collect(t, c).Facts; facts["ec2_metadata"] != nil || facts["cloud"] != nil {
				t.Error("there are facts that nobody has asked for yet")
			}
			running(t, c)
			changed(t, c)
			snapshot := collect(t, c)
			want := object{
				"ami-id": "ami-0123", "hostname": "ip-172-31-16-20.eu-central-1.compute.internal", "iam": object{"info": `{"Code":"Success"}`},
				"identity-credentials": object{"ec2": object{"info": "i"}}, "public-keys": object{"0": object{"openssh-key": "ssh-rsa AAAA"}},
				"placement": object{"availability-zone": "eu-central-1a"},
			}
			if diff := cmp.Diff(want, snapshot.Facts["ec2_metadata"]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got := snapshot.Facts["ec2_userdata"]; got != "#!/bin/sh\necho hello" {
				t.Errorf("user data: %q", got)
			}
			if diff := cmp.Diff(object{"provider": "aws"}, snapshot.Facts["cloud"]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if strings.Contains(pretty(t, snapshot.Facts), "SECRET") {
				t.Error("a credential is among the facts")
			}

			t.Run("what changes is seen", func(t *testing.T) {
				service.set("/latest/meta-data/ami-id", "ami-4567")
				changed(t, c)
				if got := collect(t, c).Facts["ec2_metadata"].(object)["ami-id"]; got != "ami-4567" {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

func TestGCE(t *testing.T) {
	c := guest(t, "gce", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.RequestURI() != "/computeMetadata/v1/?recursive=true&alt=json" {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"instance":{"id":9007199254740993,"zone":"projects/1/zones/europe-west3-a","machineType":"projects/1/machineTypes/e2-small",
			"image":"projects/debian-cloud/global/images/debian-12","networkInterfaces":[{"network":"projects/1/networks/default"},{"network":"projects/1/networks/other"}]},
			"project":{"projectId":"acme"}}`)
	}))
	running(t, c)
	changed(t, c)
	want := object{
		"instance": object{
			"id": int64(9007199254740993), "zone": "europe-west3-a", "machineType": "e2-small", "image": "debian-12",
			"networkInterfaces": []any{object{"network": "default"}, object{"network": "projects/1/networks/other"}},
		},
		"project": object{"projectId": "acme"},
	}
	snapshot := collect(t, c)
	if diff := cmp.Diff(want, snapshot.Facts["gce"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(object{"provider": "gce"}, snapshot.Facts["cloud"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAzure(t *testing.T) {
	c := guest(t, "azure", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata") != "true" || r.URL.RequestURI() != "/metadata/instance?api-version=2020-09-01" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `{"compute":{"location":"westeurope","vmId":"x"}}`)
	}))
	running(t, c)
	changed(t, c)
	snapshot := collect(t, c)
	if diff := cmp.Diff(object{"compute": object{"location": "westeurope", "vmId": "x"}}, snapshot.Facts["az_metadata"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(object{"provider": "azure"}, snapshot.Facts["cloud"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestServiceThatFails(t *testing.T) {
	var well atomic.Bool
	c := guest(t, "azure", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"compute":{"location":"westeurope"}}`)
	}))
	running(t, c)
	changed(t, c)
	snapshot := collect(t, c)
	if text, _ := errorFacts(snapshot)["cloud"].(string); !strings.Contains(text, "503") {
		t.Errorf("the fact says %q", text)
	}
	if snapshot.Facts["networking"] == nil {
		t.Errorf("other facts are missing: %v", snapshot.Facts)
	}
	well.Store(true)
	changed(t, c)
	if snapshot = collect(t, c); snapshot.Facts["az_metadata"] == nil || len(snapshot.Errors) > 0 {
		t.Errorf("the service is well, and the facts are not: %v", snapshot.Errors)
	}
	well.Store(false)
	changed(t, c)
	if snapshot = collect(t, c); snapshot.Facts["az_metadata"] == nil || len(snapshot.Errors) == 0 {
		t.Error("what was known is forgotten, or the error is not told")
	}
}

func TestServiceThatLies(t *testing.T) {
	for name, test := range map[string]struct {
		machine, want string
		answer        func(w http.ResponseWriter, r *http.Request)
	}{
		"a tree without end": {"ec2", "levels", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "again/\n") }},
		"too many leaves":    {"ec2", "leaves", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("a\n", 2000)) }},
		"too large":          {"azure", "bytes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", maxAnswer+1)) }},
		"no JSON":            {"gce", "line 1", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }},
		"a redirect": {"gce", "302", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := guest(t, test.machine, http.HandlerFunc(test.answer))
			running(t, c)
			changed(t, c)
			snapshot := collect(t, c)
			if text, _ := errorFacts(snapshot)["cloud"].(string); !strings.Contains(text, test.want) {
				t.Errorf("the fact says %q, want %q in it", text, test.want)
			}
			if snapshot.Facts["cloud"] != nil {
				t.Error("there is a cloud nevertheless")
			}
		})
	}
}

func TestNobodyIsAskedWithoutCloud(t *testing.T) {
	service := newEC2Service()
	for name, prepare := range map[string]func(*testing.T) *Collector{
		"not in a cloud by DMI": func(t *testing.T) *Collector { return guest(t, "metal", service) },
		"switched off": func(t *testing.T) *Collector {
			c := guest(t, "ec2", service)
			c.cfg.Cloud = false
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := prepare(t)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := c.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			if asked := service.asked.Load(); asked > 0 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}
