package api

import (
	fettle "github.com/fettle-dev/fettle"
)

// Pace says in which order and how fast a run asks its roster, and what stops it.
type Pace struct {
	Order        string         `json:"order,omitempty" doc:"identity, random, or a fact; left out: identity" example:"facts.rack"`
	SpreadBy     string         `json:"spread_by,omitempty" doc:"A fact: round robin by its value, so that neighbours in the order differ in it" example:"facts.rack"`
	Seed         int64          `json:"seed,omitempty" doc:"Of what is random; left out: the server chooses one, and the run shows it"`
	Limit        fettle.Share   `json:"limit,omitempty" doc:"So many of the matching nodes, or of every hundred, are asked; the others are not in the roster" example:"10%"`
	LimitRandom  bool           `json:"limit_random,omitempty" doc:"They are drawn by seed; left out: they are the first in the order"`
	Canary       int            `json:"canary,omitempty" minimum:"0" doc:"So many nodes go first, and unless every one of them does well nobody follows"`
	Batch        fettle.Share   `json:"batch,omitempty" doc:"Nodes a batch, or a part of the roster; the next begins when all have answered or are silent" example:"25%"`
	BatchSleep   int64          `json:"batch_sleep_ms,omitempty" minimum:"0" doc:"Milliseconds between batches"`
	Concurrency  int            `json:"concurrency,omitempty" minimum:"0" doc:"Nodes at once; those on which the action goes for another reason are counted too"`
	MaxFailed    fettle.Share   `json:"max_failed,omitempty" doc:"When more nodes than this have failed, nobody else is asked; 0: the first failure stops" example:"5%"`
	MaxSilent    fettle.Share   `json:"max_silent,omitempty" doc:"When more nodes than this are silent, nobody else is asked" example:"3"`
	While        fettle.Filter  `json:"while,omitempty" doc:"A gate in CEL over verdict(check), verdict(check, filter), tally(check), tally(check, filter): the next batch goes out only while it is true" example:"verdict(\"check_http\", \"@web\") == \"ok\""`
	WhileTimeout int64          `json:"while_timeout_ms,omitempty" minimum:"0" doc:"A gate that is closed for longer than so many milliseconds stops the run; left out: an hour"`
	Locks        map[string]int `json:"locks,omitempty" doc:"By name how many nodes may hold it at once, in all runs together" example:"{\"puppet\":4}"`
}

// pace gives what the order says.
func (p *Pace) pace() fettle.Pace {
	if p == nil {
		return fettle.Pace{}
	}
	return fettle.Pace(*p)
}

// paceInfo shows a pace; nil: there is none.
func paceInfo(p *fettle.Pace) *Pace {
	if p == nil {
		return nil
	}
	info := Pace(*p)
	return &info
}

// ProgressInfo is how far a run with a pace has come.
type ProgressInfo struct {
	Phase      string `json:"phase,omitempty" enum:"canary,asking,waiting,answering" doc:"What it does now; left out: it has ended, or has no pace"`
	Batch      int    `json:"batch,omitempty" doc:"The batch that is asked, from 1; the canaries are one"`
	Batches    int    `json:"batches,omitempty" doc:"How many there are"`
	WaitingFor string `json:"waiting_for,omitempty" doc:"Why nothing goes out now" example:"lock puppet: 4 of 4 are held, by run 0198… of ann"`
	Stopped    string `json:"stopped,omitempty" doc:"Why nobody is asked any more, though somebody was left" example:"6 failed, and 5 may"`
}

func progressInfo(p fettle.Progress) ProgressInfo {
	return ProgressInfo{Phase: string(p.Phase), Batch: p.Batch, Batches: p.Batches, WaitingFor: p.WaitingFor, Stopped: p.Stopped}
}
