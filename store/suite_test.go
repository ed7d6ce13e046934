package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fettle-dev/fettle"
)

// suite is what every database has to do. open gives a fresh one, which is closed when the test ends.
func suite(t *testing.T, open opener) {
	for _, c := range []struct {
		promise string
		test    func(t *testing.T, s *Store)
	}{
		{"a node comes back as it was written", testNodes},
		{"a beat changes liveness and leaves the facts alone", testSeen},
		{"a forgotten node is gone with its states and history", testForget},
		{"a renamed node keeps its history", testRename},
		{"changes of facts undo backwards to any moment", testChanges},
		{"events come back in the order of their commit", testEvents},
		{"a run is saved whole or not at all", testSaveRun},
		{"of two writers of one run the slower is told", testUpdateRun},
		{"a run with a pace has its tasks called in turn", testPacedRun},
		{"standing runs are kept", testStanding},
		{"runs are listed by page, the newest first", testRuns},
		{"a roster keeps its nodes, many of them too", testRoster},
		{"unanswered tasks are found by node and run until they expire", testTasks},
		{"a tally adds up at every stage of a run", testTally},
		{"the first result of a task is kept, later ones are dropped and told", testResults},
		{"two commits of the same results at once count each of them once", testResultsRace},
		{"a result keeps every digit of its data", testResultData},
		{"output is listed by stream, a piece that came twice once", testOutput},
		{"a check is changed by rev and goes on counting after deletion", testChecks},
		{"the last state of a check on a node is kept", testStates},
		{"transitions are listed by check and node", testTransitions},
		{"a transition is judged once, with what it called for", testJudging},
		{"a remedy is changed by phase, and listed by what is asked", testRemedies},
		{"a token is found by its hash until it expires or is used up", testTokens},
		{"of many who follow one login link one gets in", testLoginRace},
		{"a join token lets in as many as it says", testJoinTokens},
		{"of many who use the last uses of a join token as many get in", testSpendRace},
		{"the keys of nodes come back as they were written", testNodeKeys},
		{"claims to an identity are kept once each", testContested},
		{"claims are bounded", testContestedBound},
		{"a setting is swapped by rev", testSettings},
		{"a saved filter is swapped by rev", testSavedFilters},
		{"the audit log is listed by page, the newest first", testAudit},
		{"the audit log is asked by time, caller and action, and followed", testAuditQuery},
		{"a user is swapped by rev", testUsers},
		{"a user who is deleted takes tokens and sessions along", testUserTokens},
		{"a policy is replaced by name", testPolicies},
		{"a group is replaced by name, and takes its verdict along", testGroups},
		{"a silence is kept until it has been over for long", testSilences},
		{"a release is kept with its archive until the last of its name goes", testReleases},
		{"alerts and what was told of them change together", testAlerts},
		{"a run keeps which nodes it was not allowed to ask", testRefused},
		{"what is older than its retention is pruned, and nothing else", testPrune},
		{"pruning goes on until all is gone, and no number is given again", testPruneMany},
		{"a migration that was cut short goes on", testMigrateAgain},
		{"an older database with data in it becomes one of today", testMigrateOlder},
		{"a schema from the future is refused", testMigrateBack},
		{"a batch with a value that can never be stored leaves nothing behind", testPoison},
		{"text that is not UTF-8 is stored mended", testForeignText},
		{"keys differ in case and in accents", testKeys},
		{"a cancelled context stops, and the store goes on", testCancel},
		{"a commit that its deadline cuts short leaves nothing behind", testDeadline},
		{"a closed store is unavailable", testClosed},
		{"large documents go through", testLarge},
		{"many write at once", testConcurrent},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t, Config{}))
		})
	}
	t.Run("dead letters are bounded and the dropped ones are counted", func(t *testing.T) {
		t.Parallel()
		testDeadLetters(t, open(t, Config{MaxDeadLetters: 3}))
	})
	t.Run("dead letters are found and deleted", func(t *testing.T) {
		t.Parallel()
		testDeadLetterQueries(t, open(t, Config{}))
	})
	t.Run("statements are told to the observer by name", func(t *testing.T) {
		t.Parallel()
		testObserve(t, open)
	})
}

func commit(t *testing.T, s *Store, b Batch) Committed {
	t.Helper()
	c, err := s.Commit(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writes(ns ...fettle.Node) (ws []NodeWrite) {
	for _, n := range ns {
		ws = append(ws, NodeWrite{Node: n})
	}
	return ws
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error is %v, want one that is %q", err, kind)
	}
}

func wantSame(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("want -, got +\n%s", d)
	}
}
