package api

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// plainRoutes are those that stand outside the OpenAPI document: what load balancers, Prometheus and browsers ask.
func (a *rest) plainRoutes(r *gin.Engine, document []byte) {
	r.GET("/healthz", func(c *gin.Context) { a.probe(c, a.fleet.Health) })
	r.GET("/readyz", func(c *gin.Context) { a.probe(c, a.fleet.Ready) })
	r.GET("/metrics", a.metrics)
	r.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/vnd.oai.openapi+json;version=3.1", document) })
	if a.cfg.Docs != nil {
		r.GET("/docs", a.docs)
		r.GET("/docs/:file", a.docsFile)
	}
}

// probe answers a load balancer: 200 and "ok", or 503 and why not.
func (a *rest) probe(c *gin.Context, ask func(context.Context) error) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.Timeout)
	defer cancel()
	if err := ask(ctx); err != nil {
		p := problemOf(err)
		c.String(http.StatusServiceUnavailable, "%s\n", p.Detail)
		return
	}
	c.String(http.StatusOK, "ok\n")
}

// metrics writes all meters on one page: verdicts and tallies, gathered now, and the pipeline's own, which count as things happen.
func (a *rest) metrics(c *gin.Context) {
	if a.cfg.MetricsToken != "" && !a.mayRead(c.Request) {
		c.Header("WWW-Authenticate", `Bearer realm="fettle metrics"`)
		a.refuse(c, problemFor(http.StatusUnauthorized, "the metrics want their own token, or an API token for prometheus"))
		return
	}
	families, err := a.families()
	if err != nil {
		a.refuse(c, fmt.Errorf("write metrics: %w", err))
		return
	}
	if err := writePage(c, families); err != nil {
		a.refuse(c, fmt.Errorf("write metrics: %w", err))
	}
}

// mayRead tells whether r comes with the metrics' own token, or with an API token that is good for them.
func (a *rest) mayRead(r *http.Request) bool {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(a.cfg.MetricsToken)) == 1 {
		return true
	}
	person, err := a.keeper.FromRequest(r)
	return err == nil && person.Need(auth.Viewer) == nil && person.Allows(auth.Use{Operation: "metrics", Reads: true, Figures: true}) == nil
}

// docsPage is the page that documents REST. Its scripts are files: nothing stands in line, and nothing comes from elsewhere.
const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fettle REST API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>The document itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

// docsStart starts the page: what swagger-ui offers as its initializer, with our document.
const docsStart = `window.ui = SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
`

// docsPolicy lets the page load what is ours only. Swagger UI writes styles and shows pictures that stand in its style sheet.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func (a *rest) docs(c *gin.Context) {
	c.Header("Content-Security-Policy", docsPolicy)
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(docsPage))
}

func (a *rest) docsFile(c *gin.Context) {
	name := c.Param("file")
	c.Header("X-Content-Type-Options", "nosniff")
	switch name {
	case "start.js":
		c.Data(http.StatusOK, "text/javascript; charset=utf-8", []byte(docsStart))
	case "swagger-ui.css", "swagger-ui-bundle.js":
		body, err := fs.ReadFile(a.cfg.Docs, name)
		if err != nil {
			a.refuse(c, fmt.Errorf("the file of the documentation page is missing: %w", fettle.ErrNotFound))
			return
		}
		kind := "text/css; charset=utf-8"
		if strings.HasSuffix(name, ".js") {
			kind = "text/javascript; charset=utf-8"
		}
		c.Header("Cache-Control", "max-age=3600")
		c.Data(http.StatusOK, kind, body)
	default:
		NotFound(c)
	}
}
