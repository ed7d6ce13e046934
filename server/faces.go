package server

import (
	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/plugins"
)

// What the floors below give, under this package's name: faces call the server and import nothing beneath it.
type (
	// PathInfo is one fact path with its type, coverage and number of values.
	PathInfo = inventory.PathInfo
	// ValuesAnswer is the values of one path, counted.
	ValuesAnswer = inventory.ValuesAnswer
	// ValueCount is one value and how many nodes have it.
	ValueCount = inventory.ValueCount
	// Explanation is what a filter does, clause by clause.
	Explanation = inventory.Explanation
	// Clause is a part of a filter, and for how many nodes it is true, false and undefined.
	Clause = inventory.Clause
	// Spender is a filter and what it has cost.
	Spender = inventory.Spender
	// FilterError is a fault in a filter, with its place in the text.
	FilterError = filter.Error
	// Action is the manifest of an action.
	Action = plugins.Action
	// Aggregates makes an action's summaries of many results.
	Aggregates = plugins.Aggregates
	// Aggregate is what one summary says.
	Aggregate = plugins.Aggregate
	// Bin is one bar of a histogram.
	Bin = plugins.Bin
)

// ShortForm translates the short form of a filter, environment=production mysql::master, into CEL.
func ShortForm(text string) (fettle.Filter, error) { return filter.Parse(fettle.Filter(text)) }

// FactCEL writes the expression of CEL that reads a fact: facts.mountpoints["/boot"].size.
func FactCEL(p fettle.Path) string { return filter.FactCEL(p) }

// SplitList cuts a list of fact paths and expressions at its commas; those within an expression belong to it.
func SplitList(text string) []string { return filter.SplitList(text) }

// NewAggregates gives the summaries of an action, of no results yet. They are not safe for concurrent use.
func NewAggregates(a Action) *Aggregates { return plugins.NewAggregates(a) }

// FoldNames writes the names of nodes in one line: web[01-16,18],db1.
func FoldNames(ids []fettle.NodeID) string { return nagios.Fold(ids) }
