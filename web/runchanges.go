package web

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
)

// runsLook is how often the list of runs is drawn anew while it is open: what a run did in between nobody could read.
const runsLook = 3 * time.Second

// runChanges tells an open page that its run has changed, until the run ends.
func (s *site) runChanges(c *gin.Context) error {
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	run, err := s.fleet.RunByID(ctx, fettle.RunID(c.Param("id")))
	if err != nil {
		return err
	}
	if run.Ended != 0 { // with this a browser does not ask again
		c.Status(http.StatusNoContent)
		return nil
	}
	updates, err := s.fleet.WatchRun(ctx, fettle.RunID(c.Param("id")))
	if err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { // ends with updates, which end with ctx
		defer close(done)
		defer close(changed)
		for range updates {
			poke(changed)
		}
		poke(changed) // its end
	}()
	err = s.stream(ctx, c, changed)
	cancel()
	<-done
	return err
}

// runsChanges tells an open list of runs to look again.
func (s *site) runsChanges(c *gin.Context) error {
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		defer close(changed)
		for rest(ctx, runsLook) == nil {
			poke(changed)
		}
	}()
	err := s.stream(ctx, c, changed)
	cancel()
	<-done
	return err
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
