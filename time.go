package fettle

import "time"

// Millis is a point in time in milliseconds since 1970 UTC, as it is stored and sent. Zero means that it never happened.
type Millis int64

// MillisOf gives t in milliseconds, and zero for the zero time.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// Time gives m as a time in UTC, and the zero time for zero.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// Add gives the moment d after m, to the millisecond.
func (m Millis) Add(d time.Duration) Millis { return m + Millis(d.Milliseconds()) }

// Sub gives the span from o to m.
func (m Millis) Sub(o Millis) time.Duration { return time.Duration(m-o) * time.Millisecond }
