package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle/server/auth"
)

// nobody may be called by who has no token.
const nobody auth.Role = ""

// mayCall says of every operation which role it needs at least, and whether a token for reading alone may call it. An operation that stands in the
// OpenAPI document and not here fails the test: somebody has to decide.
var mayCall = map[string]struct {
	need  auth.Role
	reads bool
}{
	"show-enrolment":        {auth.Admin, true},
	"show-server-key":       {auth.Admin, true},
	"list-enrolments":       {auth.Admin, true},
	"rotate-enrolment":      {auth.Admin, false},
	"clear-enrolment":       {auth.Admin, false},
	"rotate-server-key":     {auth.Admin, false},
	"approve-enrolment":     {auth.Admin, false},
	"delete-join-token":     {auth.Admin, false},
	"revoke-enrolment":      {auth.Admin, false},
	"list-join-tokens":      {auth.Admin, true},
	"create-join-token":     {auth.Admin, false},
	"release-enrolment":     {auth.Admin, false},
	"list-actions":          {auth.Viewer, true},
	"list-audit":            {auth.Admin, true},
	"list-alerts":           {auth.Viewer, true},
	"list-receivers":        {auth.Viewer, true},
	"list-remedies":         {auth.Viewer, true},
	"show-remedy":           {auth.Viewer, true},
	"pause-remedies":        {auth.Operator, false},
	"resume-remedies":       {auth.Operator, false},
	"test-receiver":         {auth.Operator, false},
	"show-broker":           {auth.Viewer, true},
	"list-connections":      {auth.Viewer, true},
	"disconnect":            {auth.Admin, false},
	"list-destinations":     {auth.Viewer, true},
	"list-slow":             {auth.Viewer, true},
	"list-checks":           {auth.Viewer, true},
	"show-check":            {auth.Viewer, true},
	"save-check":            {auth.Operator, false},
	"test-check":            {auth.Operator, false},
	"show-check-history":    {auth.Viewer, true},
	"show-availability":     {auth.Viewer, true},
	"delete-check":          {auth.Operator, false},
	"list-commands":         {auth.Viewer, true},
	"list-dead-letters":     {auth.Operator, true},
	"delete-dead-letters":   {auth.Admin, false},
	"replay-dead-letters":   {auth.Admin, false},
	"show-dead-letter":      {auth.Operator, true},
	"list-facts":            {auth.Viewer, true},
	"count-values":          {auth.Viewer, true},
	"explain-filter":        {auth.Viewer, true},
	"explain-long-filter":   {auth.Viewer, true},
	"list-spenders":         {auth.Viewer, true},
	"list-filters":          {auth.Viewer, true},
	"delete-filter":         {auth.Operator, false},
	"show-filter":           {auth.Viewer, true},
	"save-filter":           {auth.Operator, false},
	"ask-nodes":             {auth.Viewer, false},
	"create-login-link":     {auth.Viewer, false},
	"find-nodes":            {auth.Viewer, true},
	"forget-node":           {auth.Operator, false},
	"show-node":             {auth.Viewer, true},
	"show-history":          {auth.Viewer, true},
	"rename-node":           {auth.Operator, false},
	"list-policies":         {auth.Viewer, true},
	"test-policies":         {auth.Viewer, true},
	"delete-policy":         {auth.Admin, false},
	"save-policy":           {auth.Admin, false},
	"list-target-lists":     {auth.Viewer, true},
	"release-targets":       {auth.Operator, false},
	"prometheus-targets":    {auth.Viewer, true},
	"preview-roster":        {auth.Viewer, true},
	"list-runs":             {auth.Viewer, true},
	"start-run":             {auth.Operator, false},
	"show-run":              {auth.Viewer, true},
	"cancel-run":            {auth.Operator, false},
	"retry-run":             {auth.Operator, false},
	"list-standing":         {auth.Viewer, true},
	"show-standing":         {auth.Viewer, true},
	"start-standing":        {auth.Operator, false},
	"end-standing":          {auth.Operator, false},
	"pause-standing":        {auth.Operator, false},
	"resume-standing":       {auth.Operator, false},
	"watch-run":             {auth.Viewer, true},
	"list-results":          {auth.Viewer, true},
	"list-output":           {auth.Viewer, true},
	"list-unanswered":       {auth.Viewer, true},
	"create-session":        {nobody, false},
	"end-session":           {auth.Viewer, false},
	"list-tokens":           {auth.Admin, true},
	"create-token":          {auth.Admin, false},
	"delete-token":          {auth.Admin, false},
	"list-users":            {auth.Admin, true},
	"create-user":           {auth.Admin, false},
	"delete-user":           {auth.Admin, false},
	"change-user":           {auth.Admin, false},
	"set-password":          {auth.Viewer, false},
	"list-verdicts":         {auth.Viewer, true},
	"ask-verdict":           {auth.Viewer, true},
	"map-verdict":           {auth.Viewer, true},
	"version":               {auth.Viewer, true},
	"whoami":                {auth.Viewer, true},
	"list-plugins":          {auth.Viewer, true},
	"show-plugin":           {auth.Viewer, true},
	"fetch-plugin":          {auth.Viewer, true},
	"push-plugin":           {auth.Admin, false},
	"choose-plugin":         {auth.Admin, false},
	"remove-plugin":         {auth.Admin, false},
	"remove-plugin-version": {auth.Admin, false},
	"list-agent-releases":   {auth.Viewer, true},
	"push-agent-release":    {auth.Admin, false},
	"remove-agent-release":  {auth.Admin, false},
	"list-groups":           {auth.Viewer, true},
	"show-group":            {auth.Viewer, true},
	"save-group":            {auth.Operator, false},
	"delete-group":          {auth.Operator, false},
	"list-silences":         {auth.Viewer, true},
	"show-silence":          {auth.Viewer, true},
	"add-silence":           {auth.Operator, false},
	"end-silence":           {auth.Operator, false},
	"preview-silence":       {auth.Viewer, true},
}

func TestWhoMayCall(t *testing.T) {
	b := newBench(t, Config{})
	var scoped string
	var err error
	if scoped, _, err = b.keeper.Issue(t.Context(), auth.Order{Name: "reader", Role: auth.Admin, Scopes: []string{auth.ScopeRead}}); err != nil {
		t.Fatal(err)
	}
	b.tokens["reader"] = scoped
	var document struct {
		Paths map[string]map[string]struct {
			ID       string           `json:"operationId"`
			Security []map[string]any `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(b.get("/openapi.json")), &document); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path, methods := range document.Paths {
		for method, op := range methods {
			decision, made := mayCall[op.ID]
			if !made {
				t.Errorf("%s %s (%s): nobody has decided who may call it", method, path, op.ID)
				continue
			}
			seen[op.ID] = true
			if open := len(op.Security) == 0; open != (decision.need == nobody) {
				t.Errorf("%s: the document says of security %v", op.ID, op.Security)
			}
			b.crossing(t, op.ID, strings.ToUpper(method), path, decision.need, decision.reads)
		}
	}
	for id := range mayCall {
		if !seen[id] {
			t.Errorf("%s is decided, and stands in no document", id)
		}
	}
}

// crossing calls an operation as everybody, and wants those refused, and those alone, who may not. The body is empty: who may is told that it is wrong
// at the latest.
func (b *bench) crossing(t *testing.T, id, method, path string, need auth.Role, reads bool) {
	t.Helper()
	for _, parameter := range []string{"{id}", "{who}", "{name}", "{identity}", "{check}", "{path}", "{seq}", "{node}", "{key}", "{receiver}", "{version}"} {
		path = strings.ReplaceAll(path, parameter, "x")
	}
	if i := strings.IndexByte(path, '{'); i >= 0 {
		t.Fatalf("%s: the test knows no value for %s", id, path[i:])
	}
	for _, role := range []auth.Role{nobody, auth.Viewer, auth.Operator, auth.Admin, "reader"} {
		allowed := need == nobody || role.May(need) || role == "reader" && reads
		if allowed && id == "end-session" && role != nobody { // who may, ends theirs; a token is told that it is no session
			continue
		}
		status := b.status(role, method, path)
		refused := status == http.StatusUnauthorized || status == http.StatusForbidden
		switch {
		case allowed && refused:
			t.Errorf("%s %s refuses %q: %d", method, path, role, status)
		case !allowed && role == nobody && status != http.StatusUnauthorized:
			t.Errorf("%s %s answers %d to who has no token", method, path, status)
		case !allowed && !refused:
			t.Errorf("%s %s lets %q pass: %d", method, path, role, status)
		}
	}
}

// status asks, and does not wait for an answer that goes on.
func (b *bench) status(role auth.Role, method, path string) int {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if role != nobody {
		r.Header.Set("Authorization", "Bearer "+b.tokens[role])
	}
	client := http.Client{Timeout: 20 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
