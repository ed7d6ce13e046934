package api

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

var update = flag.Bool("update", false, "write openapi.json and the client anew; the generator is fetched")

// generator makes the client of the document; its settings stand in client/generate.yaml.
const generator = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"

func TestGenerated(t *testing.T) {
	a, err := mount(NewEngine(slog.New(slog.DiscardHandler)), Config{}, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	document, err := a.document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		generate(t, document)
	}
	t.Run("the OpenAPI document is that of the handlers", func(t *testing.T) {
		kept, err := os.ReadFile("openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, document) {
			t.Error("openapi.json is stale: run go generate ./server/api")
		}
	})
	t.Run("the client was made of the document, and not changed by hand", func(t *testing.T) {
		kept, err := os.ReadFile("client/generated.sha256")
		if err != nil {
			t.Fatal(err)
		}
		if sums := sums(t); string(kept) != sums {
			t.Errorf("the client is stale: run go generate ./server/api\nkept:\n%snow:\n%s", kept, sums)
		}
	})
}

// generate writes the document, the client and their digests.
func generate(t *testing.T, document []byte) {
	t.Helper()
	if err := os.WriteFile("openapi.json", document, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", generator, "-config", "generate.yaml", "../openapi.json")
	cmd.Dir = "client"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("generate the client: %v\n%s", err, out)
	}
	if err := os.WriteFile("client/generated.sha256", []byte(sums(t)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sums gives the digests of what is generated, as sha256sum writes them in the client's folder.
func sums(t *testing.T) string {
	t.Helper()
	var out string
	for _, name := range []string{"../openapi.json", "generate.yaml", "client_gen.go"} {
		content, err := os.ReadFile(filepath.Join("client", name))
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name)
	}
	return out
}

func TestEveryPathIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	a, err := mount(NewEngine(slog.New(slog.DiscardHandler)), Config{}, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		rows += bytes.Count(text, []byte("\n| `"+method+" /api/v1"))
	}
	for path, item := range a.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete, "PUT": item.Put, "PATCH": item.Patch} {
			if op == nil {
				continue
			}
			rows--
			if row := fmt.Sprintf("\n| `%s %s` |", method, path); !bytes.Contains(text, []byte(row)) {
				t.Errorf("docs/api.md has no row %s", row)
			}
		}
	}
	if rows != 0 {
		t.Errorf("docs/api.md has %d rows too many", rows)
	}
}
