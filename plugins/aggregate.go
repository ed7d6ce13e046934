package plugins

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a histogram: as many bins as a person takes in at a glance.
const (
	maxBins   = 8   // spans of numbers, and of other values those that most nodes have
	maxValues = 10  // so many different numbers stand for themselves
	maxBin    = 60  // runes of a value
	maxHeld   = 1e6 // values of one output that are held; of more than these only the first count
)

// Aggregates makes an action's summaries of many results. Make it by NewAggregates; it is not safe for concurrent use.
type Aggregates struct {
	action  Action
	numbers map[string][]float64      // by output
	values  map[string]map[string]int // by output: how many nodes have each value
}

// Aggregate is what one summary says.
type Aggregate struct {
	Summary
	Label string  `json:"label"`          // what people call the output
	Unit  string  `json:"unit,omitempty"` // of Value, and of the spans of a histogram
	Nodes int     `json:"nodes"`          // how many have the output
	Value float64 `json:"value"`          // of all functions but Histogram
	Bins  []Bin   `json:"bins,omitempty"` // of a Histogram; spans of numbers in their order, values by how many have them
}

// Bin is one bar of a histogram.
type Bin struct {
	Value string   `json:"value,omitempty"` // what the nodes have; empty: the span from Low to High, or of a Rest
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"` // below it, but for the last bin, which has it
	Rest  int      `json:"rest,omitempty"` // so many different values stand together here: each of them fewer nodes have
	Nodes int      `json:"nodes"`
}

// NewAggregates gives the summaries of an action, of no results yet.
func NewAggregates(a Action) *Aggregates {
	return &Aggregates{action: a, numbers: map[string][]float64{}, values: map[string]map[string]int{}}
}

// Add counts the data of one result, with numbers as JSON decodes them. What an output ought not to be does not count.
func (g *Aggregates) Add(data map[string]any) {
	done := map[string]bool{}
	for _, s := range g.action.Summaries {
		value := data[s.Output]
		o, declared := g.action.Output(s.Output)
		if done[s.Output] || !declared || value == nil {
			continue
		}
		done[s.Output] = true
		if o.Type == Int || o.Type == Float {
			if f, is := toFloat(value); is && len(g.numbers[s.Output]) < maxHeld {
				g.numbers[s.Output] = append(g.numbers[s.Output], f)
			}
			continue
		}
		if g.values[s.Output] == nil {
			g.values[s.Output] = map[string]int{}
		}
		g.values[s.Output][shortValue(value)]++
	}
}

// All gives what there is to say, in the order of the manifest. A summary of an output that no node has is left out.
func (g *Aggregates) All() []Aggregate {
	var out []Aggregate
	for _, s := range g.action.Summaries {
		o, _ := g.action.Output(s.Output)
		a := Aggregate{Summary: s, Label: o.Label(), Unit: o.Unit, Nodes: len(g.numbers[s.Output])}
		for _, n := range g.values[s.Output] {
			a.Nodes += n
		}
		if a.Nodes == 0 {
			continue
		}
		switch numbers := g.numbers[s.Output]; s.Function {
		case Count:
			a.Value, a.Unit = float64(a.Nodes), ""
		case Histogram:
			a.Bins = numberBins(numbers)
			if numbers == nil {
				a.Bins = valueBins(g.values[s.Output])
			}
		default:
			a.Value = fold(s.Function, numbers)
		}
		out = append(out, a)
	}
	return out
}

// fold makes one number of many; there is at least one.
func fold(f Function, numbers []float64) float64 {
	switch f {
	case Min:
		return slices.Min(numbers)
	case Max:
		return slices.Max(numbers)
	}
	sum := 0.0
	for _, n := range numbers {
		sum += n
	}
	if f == Average {
		return sum / float64(len(numbers))
	}
	return sum
}

// valueBins gives the values that most nodes have, and the rest of them as one.
func valueBins(values map[string]int) []Bin {
	var bins []Bin
	for _, v := range slices.SortedFunc(maps.Keys(values), func(x, y string) int { return cmp.Or(cmp.Compare(values[y], values[x]), cmp.Compare(x, y)) }) {
		if len(values) > maxBins && len(bins) == maxBins {
			bins = append(bins, Bin{})
		}
		if len(bins) > maxBins {
			bins[maxBins].Rest++
			bins[maxBins].Nodes += values[v]
			continue
		}
		bins = append(bins, Bin{Value: v, Nodes: values[v]})
	}
	return bins
}

// numberBins gives each number its bin where they are few, and else spans of the same width between round numbers.
func numberBins(numbers []float64) []Bin {
	if len(numbers) == 0 {
		return nil
	}
	counts := map[float64]int{}
	for _, n := range numbers {
		if counts[n]++; len(counts) > maxValues {
			break
		}
	}
	var bins []Bin
	if len(counts) <= maxValues {
		for _, n := range slices.Sorted(maps.Keys(counts)) {
			bins = append(bins, Bin{Value: strconv.FormatFloat(n, 'f', -1, 64), Nodes: counts[n]})
		}
		return bins
	}
	low, high := slices.Min(numbers), slices.Max(numbers)
	width := roundUp((high - low) / maxBins)
	first := math.Floor(low / width)
	span := math.Floor(high/width) - first
	if !(span <= maxBins+1 && math.Abs(first) < 1<<52) { // too far away from zero, or from each other, for round numbers between them
		return []Bin{{Low: &low, High: &high, Nodes: len(numbers)}}
	}
	for i := range int(span) + 1 {
		from, to := (first+float64(i))*width, (first+float64(i)+1)*width
		bins = append(bins, Bin{Low: &from, High: &to})
	}
	for _, n := range numbers {
		i := int(math.Floor(n/width) - first)
		bins[min(max(i, 0), len(bins)-1)].Nodes++
	}
	return bins
}

// roundUp gives the next of 1, 2, 5, 10, 20, 50… that is not below x, which is above zero.
func roundUp(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, step := range []float64{1, 2, 5} {
		if step*power >= x {
			return step * power
		}
	}
	return 10 * power
}

// shortValue writes a value in one line.
func shortValue(value any) string {
	text, is := value.(string)
	if !is {
		raw, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		text = string(raw)
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxBin {
		return string(runes[:maxBin-1]) + "…"
	}
	return text
}
