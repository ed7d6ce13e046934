package api

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// Where things are, and what the OpenAPI document calls its one way of signing in.
const (
	prefix         = "/api/v1"
	securityScheme = "token"
)

// description is the head of the OpenAPI document. The version is the API's, which changes when a caller has to.
func description() huma.Config {
	cfg := huma.DefaultConfig("Fettle", "1")
	cfg.Info.Description = "Ask a fleet of machines, act on it, and fold what it says. Filters are CEL; every answer counts the nodes for which a filter is undefined."
	cfg.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", Description: "A token that `fettle token create` or POST /api/v1/tokens gave"},
	}
	// The document is served from memory; what huma would serve itself is written without a lock at the first request.
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	return cfg
}

// vocabulary are the schemas that are types of package fettle: the generated client uses those, so that there is one type for one noun.
var vocabulary = []string{"Tally", "CheckTally", "Perf", "CheckOutput", "Check", "AgentInfo", "Verdict", "CheckDefinition", "KeptCheck", "CheckRules", "Flap", "Remedy", "Span"}

// nouns are the properties that have a type of package fettle, wherever they stand.
var nouns = map[string]string{
	"identity": "NodeID", "node": "NodeID", "liveness": "Liveness", "state": "RunState", "soft": "CheckStatus", "run": "RunID", "task": "TaskID",
	"nodes": "NodeID", "sample": "NodeID", "filter": "Filter", "unanswered": "NodeID", "stored_only": "NodeID", "live_only": "NodeID",
}

// document gives the OpenAPI document, indented so that a change can be read.
func (a *rest) document() ([]byte, error) {
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	for _, s := range schemas {
		for name, p := range s.Properties {
			nameTypes(name, p)
		}
	}
	for _, name := range vocabulary {
		if s := schemas[name]; s != nil {
			s.Extensions = nounType(name)
		}
	}
	if s := schemas["UserChange"]; s != nil { // no groups are not the same as leaving them as they are
		s.Properties["groups"].Extensions = map[string]any{"x-go-type-skip-optional-pointer": false}
	}
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// nameTypes tells the generator of the client which Go type a property has, where a string or a number would do less.
func nameTypes(name string, p *huma.Schema) {
	noun, known := nouns[name]
	switch {
	case known && p.Type == huma.TypeString:
		p.Extensions = nounType(noun)
	case known && p.Type == huma.TypeArray && p.Items.Type == huma.TypeString:
		p.Items.Extensions = nounType(noun)
	case name == "status" && p.Type == huma.TypeString:
		p.Extensions = nounType("CheckStatus")
	case name == "status" && p.Maximum != nil:
		p.Extensions = nounType("Status")
	case name == "role" || name == "kind":
		p.Extensions = map[string]any{"x-go-type": "string"} // a type for each place where it stands helps nobody
	}
}

// nounType says that a schema is a type of package fettle.
func nounType(name string) map[string]any {
	return map[string]any{"x-go-type": "fettle." + name, "x-go-type-import": map[string]any{"path": "github.com/fettle-dev/fettle"}}
}

// rawType says that a schema is passed on as it was written.
func rawType() map[string]any { return map[string]any{"x-go-type": "json.RawMessage"} }

// Object is a JSON object that is passed on as it was written: a float64 would spoil integers above 2^53. Nil is {}.
type Object json.RawMessage

// Schema says what an Object may be.
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Extensions: rawType()}
}

// MarshalJSON gives the object as it was written.
func (o Object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("{}"), nil
	}
	return o, nil
}

// Value is any JSON value, passed on as it was written. Nil is null.
type Value json.RawMessage

// Schema says that a Value may be anything.
func (Value) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "Any JSON value", Extensions: rawType()}
}

// MarshalJSON gives the value as it was written.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v) == 0 {
		return []byte("null"), nil
	}
	return v, nil
}
