package fettle_test

import (
	"os"
	"testing"
)

const module = "github.com/fettle-dev/fettle"

// room is what the plan says of one package.
type room struct {
	floor int
	may   []string // which of our packages it may import, beside the root; they stand on lower floors, or are its parent
}

// anything in may: whatever stands on a lower floor.
const anything = "*"

// plan is the house. A child may import its parent, a parent never its child, and neighbours import downward only. A new package is a new
// row here, in the same commit.
var plan = map[string]room{
	".": {floor: 0},

	"calendar":        {floor: 1},
	"facts":           {floor: 1},
	"filter":          {floor: 1},
	"nagios":          {floor: 1},
	"plugins":         {floor: 1},
	"store":           {floor: 1},
	"store/storetest": {floor: 1, may: []string{"store"}},
	"wire":            {floor: 1},
	"wire/trust":      {floor: 1, may: []string{"wire"}},

	"audit":        {floor: 2, may: []string{"store"}},
	"catalogue":    {floor: 2, may: []string{"filter", "plugins", "store", "wire"}},
	"checks":       {floor: 2, may: []string{"calendar", "filter", "nagios"}},
	"checks/files": {floor: 2, may: []string{"checks", "filter"}},
	"compositions": {floor: 2, may: []string{"filter", "plugins"}},
	"inventory":    {floor: 2, may: []string{"filter"}},
	"reports":      {floor: 2, may: []string{"filter", "nagios"}},
	"runs":         {floor: 2, may: []string{"calendar"}},
	"wire/gauge":   {floor: 2, may: []string{"wire"}},
	"wire/broker":  {floor: 2, may: []string{"wire"}},

	"agent":         {floor: 3, may: []string{"checks", "facts", "filter", "nagios", "plugins", "wire", "wire/trust"}},
	"agent/nrpe":    {floor: 3, may: []string{"agent", "nagios"}},
	"agent/actions": {floor: 3, may: []string{"agent", "checks", "facts", "filter", "nagios", "plugins", "wire", "wire/trust"}},
	"server": {floor: 3, may: []string{
		"facts", "filter", "nagios", "plugins", "store", "wire", "wire/trust",
		"audit", "catalogue", "checks", "compositions", "inventory", "reports", "runs",
	}},
	"server/bridge": {floor: 3, may: []string{"server", "wire"}},
	"server/auth": {floor: 3, may: []string{
		"server", "facts", "filter", "nagios", "plugins", "store", "wire", "wire/trust",
		"audit", "catalogue", "checks", "compositions", "inventory", "reports",
	}},
	"server/certs":   {floor: 3},
	"server/passive": {floor: 3, may: []string{"server", "nagios"}},
	"server/alerts":  {floor: 3, may: []string{"server", "nagios", "store"}},
	"server/remedy":  {floor: 3, may: []string{"server", "audit", "checks", "store", "wire"}},

	"server/auth/directory": {floor: 3, may: []string{"server/auth"}},

	"server/enrol": {floor: 3, may: []string{"store", "wire", "wire/trust"}},

	"agent/emulate":     {floor: 4, may: []string{"agent", "checks", "facts", "filter", "nagios", "plugins", "wire", "wire/trust"}},
	"server/api":        {floor: 4, may: []string{"audit", "server", "server/alerts", "server/auth", "server/enrol", "server/remedy"}},
	"server/api/client": {floor: 4}, // generated from the specification, as a stranger would have it
	"web":               {floor: 4, may: []string{"audit", "checks/files", "plugins", "server", "server/auth", "server/remedy"}},

	"cmd/fettle": {floor: 5, may: []string{anything}},

	"test/sample":  {floor: 2, may: []string{"filter"}},
	"test/compare": {floor: 3, may: []string{"filter", "inventory", "test/sample"}},

	"examples/plugins/go": {floor: 6}, // a module of its own, as a stranger would have it

	"test/house":    {floor: 6, may: []string{anything}},
	"test/proc":     {floor: 1},                                     // it drives the program, as people do
	"test/soak":     {floor: 6, may: []string{"wire", "test/proc"}}, // and so does this, which opens the spools and the store that are left
	"test/pressure": {floor: 6, may: []string{"wire", "wire/trust", "filter", "test/sample", "test/proc"}},
	"test/brokers":  {floor: 6, may: []string{"wire", "wire/broker"}},
	"test/crowd":    {floor: 6, may: []string{"filter", "inventory", "test/sample"}},
	"test/faults":   {floor: 6, may: []string{"wire", "test/proc"}}, // it drives the program, and opens the spools and the store that it leaves
}

// apart are parts that must not meet, not even by way of others. A part is a package with its children. Where tests is set, the rule holds
// for test files as well.
var apart = []struct {
	part, from string
	tests      bool
	why        string
}{
	{"agent", "server", true, "agent and server share the wire, not code"},
	{"server", "agent", true, "agent and server share the wire, not code"},
	{"agent", "store", false, "a node has no database"},
	{"agent", "inventory", false, "a node knows itself only"},
	{"agent", "compositions", false, "a node does as it is asked; the server composes"},
	{"server", "wire/broker", false, "what the broker needs of the server it declares; cmd/fettle wires both, or a foreign broker"},
}

// kept are imports from elsewhere, by prefix, that stay in the packages named, so that each can be replaced in one place. Tests are free.
var kept = []struct {
	prefix string   // a path, and all below it; with "$" at its end that path alone
	in     []string // none: nowhere, tests included
	why    string
}{
	{"github.com/google/cel-go", []string{"filter"}, "one package compiles filters, so that they mean the same everywhere"},
	{"cel.dev/", []string{"filter"}, "one package compiles filters, so that they mean the same everywhere"},
	{"database/sql", []string{"store", "test/compare", "test/faults", "test/soak"}, "SQL stands in store"},
	{"modernc.org/sqlite", []string{"store", "test/faults", "test/soak"}, "SQL stands in store"},
	{"github.com/go-sql-driver/mysql", []string{"store", "test/compare", "test/faults"}, "SQL stands in store"},
	{"github.com/jackc/pgx", []string{"test/compare"}, "a database to compare with; the program knows it not"},
	{"github.com/pressly/goose", []string{"store"}, "SQL stands in store"},
	{"github.com/gin-gonic/gin", []string{"server/api", "web"}, "below a handler there are plain values"},
	{"github.com/danielgtaylor/huma", []string{"server/api"}, "the REST face alone knows how it is described"},
	{"github.com/go-stomp/stomp", []string{"wire", "wire/broker"}, "STOMP stands in wire"},
	{"github.com/oasisprotocol/curve25519-voi", []string{"wire"}, "what signs and verifies is one file, and can be another one"},
	{"github.com/adhocore/gronx", []string{"calendar"}, "one package reads cron expressions, so that they mean the same everywhere"},
	{"github.com/go-ldap/", []string{"server/auth/directory"}, "who somebody is elsewhere is asked in one place"},
	{"github.com/coreos/go-oidc", []string{"server/auth/directory"}, "who somebody is elsewhere is asked in one place"},
	{"golang.org/x/oauth2", []string{"server/auth/directory"}, "who somebody is elsewhere is asked in one place"},
	{"github.com/spf13/cobra", []string{"cmd/fettle"}, "commands stand in cmd/fettle"},
	{"github.com/stretchr/testify", nil, "tests use testing and go-cmp"},
	{"log$", nil, "the logger is a *slog.Logger handed in"},
}

// nameless are words that say nothing about what a package gives.
var nameless = []string{"util", "utils", "common", "types", "helper", "helpers", "internal", "misc"}

// long are the files with more lines than maxFileLines, or maxTestLines, each with the reason.
var long = map[string]string{}

// Limits of size, in lines.
const (
	maxFileLines = 400
	maxTestLines = 600  // of a test file: a table of cases is read line by line, and one for each promise makes it long
	maxRootLines = 1200 // of the root package, without tests: it is a vocabulary
)

func TestHouse(t *testing.T) {
	h, err := readHouse(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.files) < 10 { // the checker has lost its way, and would find fault with nothing
		t.Fatalf("only %d Go files were found", len(h.files))
	}
	for _, f := range h.faults() {
		t.Error(f)
	}
}
