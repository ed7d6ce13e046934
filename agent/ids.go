package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	fettle "github.com/fettle-dev/fettle"
)

// idSeries makes UUIDs of version 7 of which each sorts after all that were made before it in the same state folder, by this agent or by one
// that ran there before it, whatever the wall clock was set to in between. Sessions and results of checks have their order by such ids. It is
// safe for concurrent use.
//
// What stands on disk is a bound that no id has reached, some minutes ahead, so that a file is written now and then and not for each id: an
// agent that was killed begins there, and one that has stopped where it stopped. Ids that are ahead of the clock take one tick each until it
// has caught up.
type idSeries struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex // guards all below
	last  idTick
	bound idTick // no id of this or more was made without writing another bound first
	torn  bool   // the last bound could not be written, and somebody was told
}

// idTick is the part of a UUID of version 7 by which it sorts: milliseconds of Unix time in 48 bits, and 12 bits below them (RFC 9562, 5.7).
type idTick int64

const (
	ticksPerMilli idTick = 1 << 12
	idsAhead             = 10 * time.Minute
	maxIDTime            = fettle.Millis(1) << 47
)

// idBound is what stands in the file.
type idBound struct {
	Until fettle.Millis `json:"until"`
}

// openIDs reads the bound at path. A file that is damaged is no bound: ids go by the clock then, as they do without a file.
func openIDs(path string, log *slog.Logger) (*idSeries, error) {
	s := &idSeries{path: path, log: log}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("ids: %w", err)
	}
	var b idBound
	if err := json.Unmarshal(raw, &b); err != nil || b.Until < 0 || b.Until >= maxIDTime {
		log.Warn("the bound of ids is damaged: ids go by the clock", "file", path)
		return s, nil
	}
	s.bound = idTick(b.Until) * ticksPerMilli
	s.last = s.bound - 1
	return s, nil
}

// next makes an id. A bound that cannot be written costs only the order over a restart with a clock that was set back.
func (s *idSeries) next() string {
	id := uuid.Must(uuid.NewV7()) // crypto/rand never fails since Go 1.24
	s.mu.Lock()
	defer s.mu.Unlock()
	now := tickOf(id)
	s.last = max(now, s.last+1)
	if s.last >= s.bound {
		ahead := max(now+idTick(idsAhead.Milliseconds())*ticksPerMilli, s.last+ticksPerMilli)
		s.keep(ahead - ahead%ticksPerMilli)
	}
	s.last.into(&id)
	return id.String()
}

// close puts down where the series ended.
func (s *idSeries) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write((s.last/ticksPerMilli + 1) * ticksPerMilli)
}

func (s *idSeries) keep(bound idTick) {
	err := s.write(bound)
	if err != nil && !s.torn {
		s.log.Warn("the bound of ids is not kept on disk", "err", err)
	}
	s.torn = err != nil
}

func (s *idSeries) write(bound idTick) error {
	raw, err := json.Marshal(idBound{fettle.Millis(bound / ticksPerMilli)})
	if err == nil {
		err = replaceFile(s.path, raw)
	}
	if err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	s.bound = bound
	return nil
}

func tickOf(id uuid.UUID) idTick {
	var t idTick
	for _, b := range id[:6] {
		t = t<<8 | idTick(b)
	}
	return t<<12 | idTick(id[6]&0xf)<<8 | idTick(id[7])
}

// into puts the tick into an id, and leaves its version and what is random in it.
func (t idTick) into(id *uuid.UUID) {
	id[7], id[6] = byte(t), id[6]&0xf0|byte(t>>8)&0xf
	t >>= 12
	for i := 5; i >= 0; i-- {
		id[i], t = byte(t), t>>8
	}
}
