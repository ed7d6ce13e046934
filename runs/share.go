package runs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// ParseShare reads "10" or "25%". Empty is ErrInvalid.
func ParseShare(s fettle.Share) (n float64, percent bool, err error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(string(s)), "%")
	if percent {
		n, err = strconv.ParseFloat(text, 64)
	} else {
		var whole int
		whole, err = strconv.Atoi(text)
		n = float64(whole)
	}
	if err != nil || math.IsNaN(n) || n < 0 || percent && n > 100 || n > math.MaxInt32 {
		return 0, percent, fmt.Errorf("%q is neither a number of nodes such as 10 nor a part of them such as 25%%: %w", s, fettle.ErrInvalid)
	}
	return n, percent, nil
}

// atMost gives how many of all nodes a share is, a part of a node left out; and none where it is not given.
func atMost(s fettle.Share, all, none int) (int, error) {
	if s == "" {
		return none, nil
	}
	n, percent, err := ParseShare(s)
	if percent {
		n = math.Floor(n*float64(all)/100 + rounding)
	}
	return int(n), err
}

// atLeast gives how many of all nodes a share is, a part of a node counted as a whole; and none where it is not given.
func atLeast(s fettle.Share, all, none int) (int, error) {
	if s == "" {
		return none, nil
	}
	n, percent, err := ParseShare(s)
	if percent {
		n = math.Ceil(n*float64(all)/100 - rounding)
	}
	return int(n), err
}

// rounding is the error of a float that does not make a node more or less: 7 % of 100 is 7.000000000000001.
const rounding = 1e-9
