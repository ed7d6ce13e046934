package checks

import fettle "github.com/fettle-dev/fettle"

// What Nagios counts of changes: the last 20 chances to change, the oldest with the weight 0.75 and the latest with 1.25.
const (
	flapChances = 20
	flapOldest  = 0.75
	flapStep    = 0.5 / (flapChances - 1)
)

// flapping is what is kept of how often a state changes.
type flapping struct {
	changes uint32 // a bit for each of the last results that had another status than the one before; the latest is bit 0
	is      bool
}

// next gives it after n results, the first of which changed the status or did not.
func (f flapping) next(changed bool, n int, check fettle.Check) flapping {
	f.changes <<= 1
	if changed {
		f.changes |= 1
	}
	f.changes = f.changes << min(max(n, 1)-1, flapChances) & (1<<flapChances - 1)
	percent := f.percent()
	switch {
	case check.FlapHigh <= 0:
		f.is = false
	case percent >= float64(check.FlapHigh):
		f.is = true
	case percent <= float64(check.FlapLow):
		f.is = false
	}
	return f
}

// percent gives the part of the chances that was taken, weighted.
func (f flapping) percent() float64 {
	sum := 0.0
	for i := range flapChances {
		if f.changes&(1<<i) != 0 {
			sum += flapOldest + flapStep*float64(flapChances-1-i)
		}
	}
	return sum * 100 / flapChances
}

func flapChange(from, to bool) fettle.FlapChange {
	switch {
	case to && !from:
		return fettle.FlapBegan
	case from && !to:
		return fettle.FlapEnded
	}
	return fettle.FlapNone
}
