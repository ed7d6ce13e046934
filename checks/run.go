package checks

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// DefaultLimit is how many checks a node runs at once when Source does not say.
const DefaultLimit = 4

// clockSlack is how far the server's clock may drift from what is known of it before turns by cron are reckoned anew.
const clockSlack = time.Second

// lookAgain bounds how long Run sleeps: a wall clock that was set is noticed after this.
const lookAgain = time.Minute

// Source says what a node has to check.
type Source struct {
	Node    fettle.NodeID
	Checks  func() []fettle.Check // those that hold now, no two of one name; must not block
	Changed <-chan struct{}       // says that Checks gives something else; without it that is noticed when something is due, or after a minute
	Limit   int                   // checks at once; zero: DefaultLimit
	Ahead   func() time.Duration  // how far the server's clock is ahead of the node's; nil: not at all
}

// Do runs a check to its end, its own timeout included, hands its result on, and gives its status. It is called from many goroutines, never
// twice at once for one name, and ends soon when ctx does.
type Do func(ctx context.Context, check fettle.Check) fettle.CheckStatus

// Run runs what is due until ctx ends, then waits for what is running, and gives nil. A check whose rev has changed is due anew; one that is
// gone is not run again.
func Run(ctx context.Context, source Source, do Do) error {
	if source.Limit <= 0 {
		source.Limit = DefaultLimit
	}
	// As many places as runs: one that ends never waits for somebody to listen.
	k := keeper{Source: source, do: do, kept: map[string]*kept{}, ended: make(chan ending, source.Limit)}
	defer k.wait.Wait()
	k.look(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-k.ended:
			k.end(e, time.Now())
		case _, open := <-k.Changed:
			if !open {
				k.Changed = nil
			}
			k.look(time.Now())
		case <-timer.C:
			k.look(time.Now())
		}
		k.begin(ctx, time.Now())
		timer.Reset(k.pause(time.Now()))
	}
}

// keeper is the state of Run; only Run's own goroutine touches it.
type keeper struct {
	Source
	do      Do
	kept    map[string]*kept
	running int
	ended   chan ending
	wait    sync.WaitGroup
}

type kept struct {
	check    fettle.Check
	schedule Schedule
	due      time.Time
	level    level
	running  bool
	gone     bool // not to be run again
}

// ending is the end of one run.
type ending struct {
	check  fettle.Check
	status fettle.CheckStatus
}

// look takes what the source says now.
func (k *keeper) look(now time.Time) {
	for _, c := range k.kept {
		c.gone = true
	}
	ahead := time.Duration(0)
	if k.Ahead != nil {
		ahead = k.Ahead()
	}
	for _, check := range k.Checks() {
		c, ok := k.kept[check.Name]
		if !ok {
			c = &kept{}
			k.kept[check.Name] = c
		}
		c.gone = false
		if ok && c.check.Rev == check.Rev {
			c.check = check // its plugin may have another version, of which a rev says nothing; its turn stays
			c.set(ahead, now)
			continue
		}
		c.check, c.level, c.schedule = check, level{}, ScheduleOf(check, k.Node)
		c.schedule.Ahead = ahead
		c.due = c.schedule.First(now)
	}
	for name, c := range k.kept {
		if c.gone && !c.running {
			delete(k.kept, name)
		}
	}
}

// set takes what is known now of the server's clock.
func (c *kept) set(ahead time.Duration, now time.Time) {
	was := c.schedule.Ahead
	c.schedule.Ahead = ahead
	if !c.schedule.Cron.IsZero() && (ahead-was).Abs() > clockSlack && !c.level.isSoft() {
		c.due = c.schedule.Next(now, false)
	}
}

// begin starts what is due, the longest waiting first, as far as the limit allows.
func (k *keeper) begin(ctx context.Context, now time.Time) {
	var due []*kept
	for _, c := range k.kept {
		if c.running || c.gone {
			continue
		}
		if c.due.Sub(now) > max(c.schedule.Interval+c.schedule.Splay, c.schedule.Retry) {
			c.due = c.schedule.Next(now, false) // the wall clock was set back
		}
		if !c.due.After(now) {
			due = append(due, c)
		}
	}
	slices.SortFunc(due, func(a, b *kept) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.check.Name, b.check.Name))
	})
	for _, c := range due[:min(len(due), k.Limit-k.running)] {
		c.running = true
		k.running++
		check := c.check
		k.wait.Go(func() { k.ended <- ending{check, k.do(ctx, check)} })
	}
}

func (k *keeper) end(e ending, now time.Time) {
	k.running--
	c := k.kept[e.check.Name]
	c.running = false
	if c.gone {
		delete(k.kept, e.check.Name)
		return
	}
	if c.check.Rev != e.check.Rev {
		return // it is due as the new one that it has become
	}
	c.level = c.level.next(e.status, c.check.Attempts, 1)
	c.due = c.schedule.Next(now, c.level.isSoft())
}

// pause gives how long nothing is to do, unless a run ends.
func (k *keeper) pause(now time.Time) time.Duration {
	wait := lookAgain
	if k.running >= k.Limit {
		return wait
	}
	for _, c := range k.kept {
		if !c.running && !c.gone {
			wait = min(wait, c.due.Sub(now))
		}
	}
	return max(wait, 0)
}
