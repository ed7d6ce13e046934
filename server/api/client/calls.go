package client

import (
	"context"
	"net/http"

	"github.com/fettle-dev/fettle"
)

// page is how many things are asked for at once where all are wanted: the most that the server gives.
const page = 10_000

// Find gives one page of the nodes that match. A nil p asks for the first page of all nodes.
func (a *API) Find(ctx context.Context, p *FindNodesParams) (*NodeList, error) {
	return read[NodeList](a.calls.FindNodes(ctx, p))
}

// FindAll follows the pages to the end. The counts are those of the last page's answer.
func (a *API) FindAll(ctx context.Context, p FindNodesParams) (*NodeList, error) {
	p.Limit = new(int64(page))
	all := []NodeItem{}
	for {
		list, err := a.Find(ctx, &p)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Nodes...)
		if list.Next == "" {
			list.Nodes = all
			return list, nil
		}
		p.Cursor = &list.Next
	}
}

// Live asks the nodes themselves which of them match.
func (a *API) Live(ctx context.Context, p *AskNodesParams) (*LiveList, error) {
	return read[LiveList](a.calls.AskNodes(ctx, p))
}

// Node gives all that is known of one node. ErrNotFound: there is none of that name.
func (a *API) Node(ctx context.Context, id fettle.NodeID) (*NodeInfo, error) {
	return read[NodeInfo](a.calls.ShowNode(ctx, string(id), nil))
}

// NodeAt gives one node as it was at a moment, in RFC 3339.
func (a *API) NodeAt(ctx context.Context, id fettle.NodeID, at string) (*NodeInfo, error) {
	return read[NodeInfo](a.calls.ShowNode(ctx, string(id), &ShowNodeParams{AsOf: &at}))
}

// ForgetNode takes a node away, with its history. ErrConflict: it is alive.
func (a *API) ForgetNode(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.ForgetNode(ctx, string(id)))
}

// RenameNode has the history of a node go on under another name. ErrConflict: it is alive, or the two are not one.
func (a *API) RenameNode(ctx context.Context, from, to fettle.NodeID) error {
	return gone(a.calls.RenameNode(ctx, string(from), NewName{To: string(to)}))
}

// History gives one page of what changed in a node's facts, the newest first.
func (a *API) History(ctx context.Context, id fettle.NodeID, p *ShowHistoryParams) (*ChangeList, error) {
	return read[ChangeList](a.calls.ShowHistory(ctx, string(id), p))
}

// FactPaths lists the paths that the chosen nodes have.
func (a *API) FactPaths(ctx context.Context, p *ListFactsParams) (*PathList, error) {
	return read[PathList](a.calls.ListFacts(ctx, p))
}

// FactValues counts the values of a fact over the chosen nodes.
func (a *API) FactValues(ctx context.Context, path string, p *CountValuesParams) (*ValueList, error) {
	return read[ValueList](a.calls.CountValues(ctx, path, p))
}

// Explain says what a filter does.
func (a *API) Explain(ctx context.Context, in ExplainOrder) (*Explanation, error) {
	return read[Explanation](a.calls.ExplainLongFilter(ctx, in))
}

// Spenders lists the filters that have cost the server the most time, the costliest first.
func (a *API) Spenders(ctx context.Context) ([]Spender, error) {
	list, err := read[SpenderList](a.calls.ListSpenders(ctx))
	if err != nil {
		return nil, err
	}
	return list.Spenders, nil
}

// SavedFilters lists the filters that are kept under names.
func (a *API) SavedFilters(ctx context.Context) ([]SavedFilter, error) {
	list, err := read[SavedFilterList](a.calls.ListFilters(ctx))
	if err != nil {
		return nil, err
	}
	return list.Filters, nil
}

// SavedFilter gives one saved filter, with the texts that it stands on. ErrNotFound: there is none of that name.
func (a *API) SavedFilter(ctx context.Context, name string) (*SavedFilter, error) {
	return read[SavedFilter](a.calls.ShowFilter(ctx, name))
}

// SaveFilter keeps a filter under a name.
func (a *API) SaveFilter(ctx context.Context, name string, in FilterOrder) (*SavedFilter, error) {
	return read[SavedFilter](a.calls.SaveFilter(ctx, name, in))
}

// DeleteFilter takes a saved filter away. ErrConflict: something stands on it.
func (a *API) DeleteFilter(ctx context.Context, name string) error {
	return gone(a.calls.DeleteFilter(ctx, name))
}

// Actions lists every action that can be run.
func (a *API) Actions(ctx context.Context) ([]Action, error) {
	list, err := read[ActionList](a.calls.ListActions(ctx))
	if err != nil {
		return nil, err
	}
	return list.Actions, nil
}

// Preview fixes which nodes are meant now, for a run within the hour.
func (a *API) Preview(ctx context.Context, in PreviewOrder) (*RosterInfo, error) {
	return read[RosterInfo](a.calls.PreviewRoster(ctx, in))
}

// StartRun starts a run and returns when its tasks are on their way; Watch follows it.
func (a *API) StartRun(ctx context.Context, in RunOrder) (*RunSummary, error) {
	return read[RunSummary](a.calls.StartRun(ctx, in))
}

// Runs gives one page of the runs, the latest first.
func (a *API) Runs(ctx context.Context, p *ListRunsParams) (*RunList, error) {
	return read[RunList](a.calls.ListRuns(ctx, p))
}

// Run gives a run with its first results.
func (a *API) Run(ctx context.Context, id fettle.RunID) (*RunInfo, error) {
	return read[RunInfo](a.calls.ShowRun(ctx, string(id)))
}

// Results gives one page of a run's results, in the order in which they came.
func (a *API) Results(ctx context.Context, id fettle.RunID, p *ListResultsParams) (*ResultList, error) {
	return read[ResultList](a.calls.ListResults(ctx, string(id), p))
}

// Unanswered gives one page of the nodes of a run's roster that gave no result, sorted.
func (a *API) Unanswered(ctx context.Context, id fettle.RunID, p *ListUnansweredParams) (*Unanswered, error) {
	return read[Unanswered](a.calls.ListUnanswered(ctx, string(id), p))
}

// UnansweredAll gives all nodes of a run's roster that gave no result, sorted: those that are silent, never or pending, or with an empty state all.
func (a *API) UnansweredAll(ctx context.Context, id fettle.RunID, state string) ([]fettle.NodeID, error) {
	p := ListUnansweredParams{Limit: new(int64(page))}
	if state != "" {
		p.State = new(ListUnansweredParamsState(state))
	}
	all := []fettle.NodeID{}
	for {
		list, err := a.Unanswered(ctx, id, &p)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Nodes...)
		if list.Next == "" {
			return all, nil
		}
		p.Cursor = &list.Next
	}
}

// CancelRun stops a run. ErrConflict: it has ended.
func (a *API) CancelRun(ctx context.Context, id fettle.RunID) (*RunSummary, error) {
	return read[RunSummary](a.calls.CancelRun(ctx, string(id)))
}

// Commands lists every check command that some node offers.
func (a *API) Commands(ctx context.Context) ([]string, error) {
	list, err := read[CommandList](a.calls.ListCommands(ctx))
	if err != nil {
		return nil, err
	}
	return list.Commands, nil
}

// Verdicts gives the verdict of every defined check, from the states that are kept.
func (a *API) Verdicts(ctx context.Context) ([]fettle.Verdict, error) {
	list, err := read[VerdictList](a.calls.ListVerdicts(ctx))
	if err != nil {
		return nil, err
	}
	return list.Verdicts, nil
}

// Verdict folds a check over nodes. ErrNotFound: no node has it.
func (a *API) Verdict(ctx context.Context, check string, p *AskVerdictParams) (*fettle.Verdict, error) {
	return read[fettle.Verdict](a.calls.AskVerdict(ctx, check, p))
}

// ScrapeLists gives the lists of targets that are guarded, those that are held first.
func (a *API) ScrapeLists(ctx context.Context) (*ScrapeLists, error) {
	return read[ScrapeLists](a.calls.ListTargetLists(ctx))
}

// ReleaseTargets has the lists of a filter that are held be given out as they are, or with an empty one all of them, and tells how many those were.
// ErrNotFound: none of that filter is held.
func (a *API) ReleaseTargets(ctx context.Context, where string) (*Released, error) {
	p := &ReleaseTargetsParams{}
	if where != "" {
		p.Where = &where
	}
	return read[Released](a.calls.ReleaseTargets(ctx, p))
}

// ScrapeTargets gives what Prometheus's http_sd is given.
func (a *API) ScrapeTargets(ctx context.Context, p *PrometheusTargetsParams) ([]ScrapeGroup, error) {
	list, err := read[[]ScrapeGroup](a.calls.PrometheusTargets(ctx, p))
	if err != nil {
		return nil, err
	}
	return *list, nil
}

// Tokens lists the tokens and sessions that have not ended.
func (a *API) Tokens(ctx context.Context) ([]TokenInfo, error) {
	list, err := read[TokenList](a.calls.ListTokens(ctx))
	if err != nil {
		return nil, err
	}
	return list.Tokens, nil
}

// CreateToken makes a token. Its secret is in this answer and nowhere else.
func (a *API) CreateToken(ctx context.Context, in TokenOrder) (*NewToken, error) {
	return read[NewToken](a.calls.CreateToken(ctx, in))
}

// LoginLink makes a link that signs a browser in once.
func (a *API) LoginLink(ctx context.Context, in LoginOrder) (*LoginLink, error) {
	return read[LoginLink](a.calls.CreateLoginLink(ctx, in))
}

// DeleteToken takes a token back. ErrNotFound: there is none of that id.
func (a *API) DeleteToken(ctx context.Context, id string) error {
	return gone(a.calls.DeleteToken(ctx, id))
}

// JoinTokens lists the join tokens, the newest first.
func (a *API) JoinTokens(ctx context.Context) ([]JoinTokenInfo, error) {
	list, err := read[JoinTokenList](a.calls.ListJoinTokens(ctx))
	if err != nil {
		return nil, err
	}
	return list.Tokens, nil
}

// CreateJoinToken makes a join token. Its text is in this answer and nowhere else.
func (a *API) CreateJoinToken(ctx context.Context, in JoinTokenOrder) (*NewJoinToken, error) {
	return read[NewJoinToken](a.calls.CreateJoinToken(ctx, in))
}

// DeleteJoinToken takes a join token back. ErrNotFound: there is none of that id.
func (a *API) DeleteJoinToken(ctx context.Context, id string) error {
	return gone(a.calls.DeleteJoinToken(ctx, id))
}

// Enrolments lists identities with their keys and claims, all pages of them.
func (a *API) Enrolments(ctx context.Context, p ListEnrolmentsParams) ([]EnrolmentInfo, error) {
	p.Limit = new(int64(page))
	all := []EnrolmentInfo{}
	for {
		list, err := read[EnrolmentList](a.calls.ListEnrolments(ctx, &p))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Enrolments...)
		if list.Next == "" {
			return all, nil
		}
		p.Cursor = &list.Next
	}
}

// ApproveEnrolment lets in the machine that waits for an identity. ErrNotFound: none does. ErrConflict: it is in.
func (a *API) ApproveEnrolment(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.ApproveEnrolment(ctx, string(id)))
}

// RevokeEnrolment makes a node's keys worthless; its identity stays bound.
func (a *API) RevokeEnrolment(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.RevokeEnrolment(ctx, string(id)))
}

// ReleaseEnrolment forgets the keys of an identity, and the claims to it.
func (a *API) ReleaseEnrolment(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.ReleaseEnrolment(ctx, string(id)))
}

// ClearEnrolment forgets the claims to an identity; its keys stay.
func (a *API) ClearEnrolment(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.ClearEnrolment(ctx, string(id)))
}

// RotateEnrolment has a node make itself a new key.
func (a *API) RotateEnrolment(ctx context.Context, id fettle.NodeID) error {
	return gone(a.calls.RotateEnrolment(ctx, string(id)))
}

// ServerKey tells of the key that the server signs with.
func (a *API) ServerKey(ctx context.Context) (*ServerKeyInfo, error) {
	return read[ServerKeyInfo](a.calls.ShowServerKey(ctx))
}

// RotateServerKey makes the server a new key. ErrUnavailable: the fleet root was moved away.
func (a *API) RotateServerKey(ctx context.Context, revokeOld bool) (*ServerKeyInfo, error) {
	return read[ServerKeyInfo](a.calls.RotateServerKey(ctx, ServerKeyOrder{RevokeOld: &revokeOld}))
}

// Broker tells what the server's own broker does. ErrNotFound: it uses another.
func (a *API) Broker(ctx context.Context) (*BrokerInfo, error) {
	return read[BrokerInfo](a.calls.ShowBroker(ctx))
}

// Connections gives one page of who is connected to the broker.
func (a *API) Connections(ctx context.Context, p *ListConnectionsParams) (*ConnectionList, error) {
	return read[ConnectionList](a.calls.ListConnections(ctx, p))
}

// Destinations gives one page of the broker's topics and queues.
func (a *API) Destinations(ctx context.Context, p *ListDestinationsParams) (*DestinationList, error) {
	return read[DestinationList](a.calls.ListDestinations(ctx, p))
}

// Slow tells who reads too slowly, and who was cut off for it.
func (a *API) Slow(ctx context.Context) (*SlowList, error) {
	return read[SlowList](a.calls.ListSlow(ctx))
}

// Disconnect ends the connections of a node, or a session. ErrNotFound: it is not connected.
func (a *API) Disconnect(ctx context.Context, who string) (*Disconnected, error) {
	return read[Disconnected](a.calls.Disconnect(ctx, who))
}

// DeadLetters gives one page of the messages that could not be used, the newest first.
func (a *API) DeadLetters(ctx context.Context, p *ListDeadLettersParams) (*DeadLetterList, error) {
	return read[DeadLetterList](a.calls.ListDeadLetters(ctx, p))
}

// DeadLetter gives one with what is in it. ErrNotFound: there is none of that number.
func (a *API) DeadLetter(ctx context.Context, seq int64) (*DeadLetterDetail, error) {
	return read[DeadLetterDetail](a.calls.ShowDeadLetter(ctx, seq))
}

// ReplayDeadLetters hands dead letters to the server again.
func (a *API) ReplayDeadLetters(ctx context.Context, in LetterChoice) (*ReplayAnswer, error) {
	return read[ReplayAnswer](a.calls.ReplayDeadLetters(ctx, in))
}

// DeleteDeadLetters takes dead letters away.
func (a *API) DeleteDeadLetters(ctx context.Context, in LetterChoice) (*DeletedLetters, error) {
	return read[DeletedLetters](a.calls.DeleteDeadLetters(ctx, in))
}

// gone reads an answer that has no body.
func gone(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Whoami tells whose token this is.
func (a *API) Whoami(ctx context.Context) (*Whoami, error) {
	return read[Whoami](a.calls.Whoami(ctx))
}

// Version tells what the server is.
func (a *API) Version(ctx context.Context) (*VersionInfo, error) {
	return read[VersionInfo](a.calls.Version(ctx))
}
