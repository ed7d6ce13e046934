package api

import (
	"context"
	"io"

	"github.com/prometheus/client_golang/prometheus"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Fleet is the server, as this package calls it; *server.Server is one. All methods are safe for concurrent use, end with their ctx, and
// wrap the kinds of error of package fettle.
type Fleet interface {
	Nodes
	Filters
	Runs
	Standing
	Checks
	Plugins
	Groups
	Silences
	Policies
	Letters
	Pipeline
}

// Nodes answers questions about nodes. ErrInvalid: the filter, as a *server.FilterError where the fault has a place in the text.
type Nodes interface {
	Find(ctx context.Context, q server.FindQuery) (server.FindAnswer, error)
	FindLive(ctx context.Context, q server.LiveQuery) (server.LiveAnswer, error)
	Node(ctx context.Context, id fettle.NodeID) (server.NodeDetail, error)
	NodeAt(ctx context.Context, id fettle.NodeID, at fettle.Millis) (server.NodeDetail, error)
	ForgetNode(ctx context.Context, id fettle.NodeID, caller string) error
	RenameNode(ctx context.Context, from, to fettle.NodeID, caller string) error
	History(ctx context.Context, q server.HistoryQuery) ([]server.FactChange, error)
	FactPaths(ctx context.Context, sel server.Selection) ([]server.PathInfo, error)
	FactValues(ctx context.Context, path fettle.Path, sel server.Selection) (server.ValuesAnswer, error)
	FactValuesBy(ctx context.Context, path, by fettle.Path, sel server.Selection) (server.ValuesAnswer, error)
	Explain(ctx context.Context, text fettle.Filter, node fettle.NodeID) (server.Explanation, error)
	Spenders(ctx context.Context) []server.Spender
}

// Filters keeps filters under names. ErrInvalid: the filter, as a *server.FilterError where the fault has a place in the text.
type Filters interface {
	ExpandFilter(ctx context.Context, text fettle.Filter) (fettle.Filter, error)
	SavedFilters(ctx context.Context) ([]server.SavedFilter, error)
	SavedFilter(ctx context.Context, name string) (server.SavedFilter, error)
	SaveFilter(ctx context.Context, c server.FilterChange) (server.SavedFilter, error)
	DeleteFilter(ctx context.Context, name, caller string, admin bool) error
}

// Runs starts and follows runs.
type Runs interface {
	Actions(ctx context.Context) []server.Action
	Preview(ctx context.Context, sel server.Selection) (fettle.Roster, error)
	StartRun(ctx context.Context, req server.RunRequest) (fettle.Run, error)
	RunByID(ctx context.Context, id fettle.RunID) (fettle.Run, error)
	RunResults(ctx context.Context, id fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error)
	FindRuns(ctx context.Context, q server.RunQuery) ([]fettle.Run, string, error)
	RunUnanswered(ctx context.Context, id fettle.RunID, state string) ([]fettle.NodeID, error)
	WatchRun(ctx context.Context, id fettle.RunID) (<-chan server.RunUpdate, error)
	CancelRun(ctx context.Context, id fettle.RunID, caller string) (fettle.Run, error)
	RunOutput(ctx context.Context, id fettle.RunID, node fettle.NodeID, after server.Printed, limit int) ([]server.Printed, error)
	FollowOutput(ctx context.Context, id fettle.RunID) (<-chan server.Printed, error)
	RetryRun(ctx context.Context, id fettle.RunID, caller string, user server.Asker) (fettle.Run, error)
}

// Standing keeps runs that come again and again.
type Standing interface {
	Stand(ctx context.Context, o server.StandingOrder) (fettle.Standing, error)
	StandingRuns(ctx context.Context) []fettle.Standing
	StandingRun(ctx context.Context, name string) (fettle.Standing, error)
	PauseStanding(ctx context.Context, name, caller string) (fettle.Standing, error)
	ResumeStanding(ctx context.Context, name, caller string) (fettle.Standing, error)
	EndStanding(ctx context.Context, name, caller string) error
}

// Plugins keeps what was pushed: plugins, and programs of the agent. ErrConflict: what is there already, or does not go with what is.
type Plugins interface {
	Plugins(ctx context.Context) ([]server.PluginDetail, error)
	PluginByName(ctx context.Context, name string) (server.PluginDetail, error)
	PushPlugin(ctx context.Context, archive []byte, caller string) (d server.PluginDetail, version string, err error)
	ChoosePlugin(ctx context.Context, what, name, version, caller string) (server.PluginDetail, error)
	RemovePlugin(ctx context.Context, name, version, caller string) error
	PluginArchive(ctx context.Context, name, version string) ([]byte, error)
	AgentReleases(ctx context.Context) ([]server.AgentRelease, error)
	PushAgent(ctx context.Context, program []byte, version, caller string) (server.AgentRelease, error)
	RemoveAgent(ctx context.Context, version string) error
}

// Policies says who may run what where. ErrInvalid: the policy, as a *server.FilterError where the fault has a place in the text.
type Policies interface {
	Policies(ctx context.Context) []server.Policy
	SavePolicy(ctx context.Context, p server.Policy) (server.Policy, error)
	DeletePolicy(ctx context.Context, name string) error
	TestPolicies(ctx context.Context, q server.PolicyQuestion) (server.PolicyAnswer, error)
	Refusals(ctx context.Context, req server.RunRequest, nodes []fettle.NodeID) ([]fettle.Refusal, error)
}

// Checks gives checks and folds them.
type Checks interface {
	Commands(ctx context.Context) []string
	CheckDefinitions(ctx context.Context) ([]fettle.KeptCheck, error)
	CheckDefinition(ctx context.Context, name string) (fettle.KeptCheck, error)
	SaveCheck(ctx context.Context, c server.CheckChange) (fettle.KeptCheck, error)
	DeleteCheck(ctx context.Context, name string, caller server.Asker, admin bool) error
	CheckHistory(ctx context.Context, q server.TransitionQuery) ([]server.Transition, error)
	Availability(ctx context.Context, q server.AvailabilityQuery) (server.Availability, error)
	TestCheck(ctx context.Context, t server.CheckTest) (tested []server.TestedNode, meant int, err error)
	Verdict(ctx context.Context, q server.VerdictQuery) (fettle.Verdict, error)
	Verdicts(ctx context.Context) ([]fettle.Verdict, error)
	VerdictMap(ctx context.Context, q server.MapQuery) (server.VerdictMap, error)
}

// Groups keeps groups of verdicts. ErrInvalid: the group, or it would stand on itself; ErrConflict: its name is a check's, or something stands on it.
type Groups interface {
	Groups(ctx context.Context) []fettle.Group
	Group(ctx context.Context, name string) (fettle.Group, error)
	SaveGroup(ctx context.Context, g fettle.Group, caller string) (fettle.Group, error)
	TryGroup(ctx context.Context, g fettle.Group, coming []string) (fettle.Group, error)
	DeleteGroup(ctx context.Context, name, caller string) error
}

// Silences keeps silences and maintenance windows. ErrInvalid: the silence, as a *server.FilterError where the fault has a place in its filter.
type Silences interface {
	Silences(ctx context.Context, over bool) []server.SilenceView
	Silence(ctx context.Context, id string) (server.SilenceView, error)
	AddSilence(ctx context.Context, one fettle.Silence, caller string) (server.SilenceView, error)
	EndSilence(ctx context.Context, id, caller string) (server.SilenceView, error)
	PreviewSilence(ctx context.Context, one fettle.Silence, caller string) (server.SilencePreview, error)
}

// Letters gives what was taken and could not be used.
type Letters interface {
	DeadLetters(ctx context.Context, q server.LetterQuery) ([]server.DeadLetter, error)
	DeadLetter(ctx context.Context, seq int64) (server.DeadLetter, server.LetterEnvelope, error)
	ReplayDeadLetters(ctx context.Context, p server.LetterPick, caller string) (server.Replayed, error)
	DeleteDeadLetters(ctx context.Context, p server.LetterPick, caller string) (int64, error)
}

// Pipeline tells how the server itself is.
type Pipeline interface {
	Version() string
	Health(ctx context.Context) error
	Ready(ctx context.Context) error
	Settling() bool // it has just started, and judges nobody yet
	Gatherer() prometheus.Gatherer
	WriteMetrics(w io.Writer)
}
