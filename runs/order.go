package runs

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Value gives a fact of a node; nil: it has none.
type Value func(node fettle.NodeID) any

// Order gives the nodes that are asked, in the order in which that happens: sorted by what the pace says, limited, and spread. order and spread
// give the facts of Pace.Order and Pace.SpreadBy. The same nodes, pace and facts give the same order. ErrInvalid: what Check says.
func Order(nodes []fettle.NodeID, p fettle.Pace, order, spread Value) ([]fettle.NodeID, error) {
	out := slices.Clone(nodes)
	slices.Sort(out)
	random := rand.New(rand.NewPCG(uint64(p.Seed), 0)) //nolint:gosec // nobody is kept from guessing it
	switch p.Order {
	case "", ByIdentity:
	case Random:
		random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	default:
		byFact(out, order)
	}
	n, err := atLeast(p.Limit, len(out), len(out))
	if err != nil {
		return nil, err
	}
	n = min(n, len(out))
	if p.LimitRandom {
		out = draw(out, n, random)
	}
	if p.SpreadBy != "" {
		out = roundRobin(out, spread)
	}
	return out[:n], nil
}

// byFact sorts by a fact, nodes without it last; equals stay as they are.
func byFact(nodes []fettle.NodeID, fact Value) {
	values := make(map[fettle.NodeID]any, len(nodes))
	for _, id := range nodes {
		values[id] = fact(id)
	}
	slices.SortStableFunc(nodes, func(a, b fettle.NodeID) int { return compare(values[a], values[b]) })
}

// draw takes n of the nodes, in the order that they have.
func draw(nodes []fettle.NodeID, n int, random *rand.Rand) []fettle.NodeID {
	picked := random.Perm(len(nodes))[:n]
	slices.Sort(picked)
	out := make([]fettle.NodeID, n)
	for i, at := range picked {
		out[i] = nodes[at]
	}
	return out
}

// roundRobin takes a node of each value in turn, the values in the order in which they first stand; nodes without one are a value of their own.
func roundRobin(nodes []fettle.NodeID, fact Value) []fettle.NodeID {
	var keys []string
	groups := map[string][]fettle.NodeID{}
	for _, id := range nodes {
		key := fmt.Sprintf("%T %[1]v", fact(id))
		if _, seen := groups[key]; !seen {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], id)
	}
	out := make([]fettle.NodeID, 0, len(nodes))
	for turn := 0; len(out) < len(nodes); turn++ {
		for _, key := range keys {
			if group := groups[key]; turn < len(group) {
				out = append(out, group[turn])
			}
		}
	}
	return out
}

// compare orders values of facts: false, true; numbers; text; whatever else; nothing.
func compare(a, b any) int {
	ra, rb := rank(a), rank(b)
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch ra {
	case rankNumber:
		return cmp.Compare(number(a), number(b))
	case rankNone:
		return 0
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

const (
	rankBool = iota
	rankNumber
	rankText
	rankOther
	rankNone
)

func rank(v any) int {
	switch v.(type) {
	case nil:
		return rankNone
	case bool:
		return rankBool
	case int64, float64:
		return rankNumber
	case string:
		return rankText
	}
	return rankOther
}

func number(v any) float64 {
	if i, whole := v.(int64); whole {
		return float64(i)
	}
	f, _ := v.(float64)
	return f
}
