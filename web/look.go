package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed templates static
var embedded embed.FS

// Docs gives the assets of the documentation page of REST, which others wrote.
func Docs() fs.FS {
	vendor, err := fs.Sub(embedded, "static/vendor")
	if err != nil { // the name is one that a file can have
		return nil
	}
	return vendor
}

// look is what pages are drawn with: templates, and the files that they name.
type look struct {
	pages map[string]*template.Template // by the name of the page's file
	files map[string]file               // by URL
	urls  map[string]string             // by name below static/
}

// file is a static file, ready to be sent.
type file struct {
	kind   string // media type
	body   []byte
	packed []byte // the same by gzip; nil: it would not be shorter
}

// The template files that every page has, and the pages.
var (
	shared    = []string{"layout.html", "pieces.html"}
	pageFiles = []string{"nodes.html", "node.html", "checks.html", "check.html", "checknode.html", "define.html", "checkhistory.html", "map.html", "now.html", "silences.html", "silenceform.html", "runs.html", "run.html", "runform.html", "broker.html", "brokerlist.html", "letters.html", "letter.html", "login.html", "error.html"}
)

// notServed are static files that have their own route (docs), or that nobody asks for.
func notServed(name string) bool {
	return strings.HasPrefix(name, "vendor/swagger-ui") || strings.Contains(name, "LICENSE") || strings.HasSuffix(name, ".md")
}

func newLook(fsys fs.FS) (*look, error) {
	l := &look{pages: map[string]*template.Template{}, files: map[string]file{}, urls: map[string]string{}}
	static, err := fs.Sub(fsys, "static")
	if err != nil {
		return nil, err
	}
	if err := fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || notServed(name) {
			return err
		}
		return l.add(static, name)
	}); err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	templates, err := fs.Sub(fsys, "templates")
	if err != nil {
		return nil, err
	}
	for _, page := range pageFiles {
		t, err := template.New(page).Funcs(template.FuncMap{"asset": l.url, "count": thousands}).ParseFS(templates, append(shared, page)...)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		l.pages[page] = t
	}
	return l, nil
}

// add takes in a static file under a URL that has its digest, so that a browser may keep it for ever.
func (l *look) add(static fs.FS, name string) error {
	body, err := fs.ReadFile(static, name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	f := file{kind: mime.TypeByExtension(path.Ext(name)), body: body, packed: pack(body)}
	l.urls[name] = "/static/" + hex.EncodeToString(sum[:8]) + "/" + name
	l.files[l.urls[name]] = f
	return nil
}

// pack gives body by gzip, or nil where that is not shorter.
func pack(body []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return nil
	}
	if w.Close() != nil || b.Len() >= len(body) {
		return nil
	}
	return b.Bytes()
}

// url gives the URL of a static file, for templates: a name that is none is an error of the template.
func (l *look) url(name string) (string, error) {
	if url, ok := l.urls[name]; ok {
		return url, nil
	}
	return "", fmt.Errorf("there is no static file %q", name)
}

// static sends a file. Whoever has an old hash gets nothing: the page that named it is old too.
func (s *site) static(c *gin.Context) {
	l, err := s.look()
	f, ok := file{}, false
	if err == nil {
		f, ok = l.files[c.Request.URL.Path]
	}
	if !ok {
		c.String(http.StatusNotFound, "there is no such file\n")
		return
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Header("Vary", "Accept-Encoding")
	if f.packed != nil && strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, f.kind, f.packed)
		return
	}
	c.Data(http.StatusOK, f.kind, f.body)
}
